"""Names as often as they are among people: few are common, most are rare.

The share of the name of rank r is nearly proportional to 1 / (r + 20), as in a national register:
the first is borne by 0.9 % of people, the hundredth by 0.15 %, the thousandth by 0.02 %.
"""

import itertools
from collections.abc import Sequence

from apps.demo.seed.names import ORIGINS

RANK_OFFSET = 20

COMMON_FAMILIES = (
    "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez "
    "Gonzalez Wilson Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris "
    "Sanchez Clark Ramirez Lewis Robinson Walker Young Allen King Wright Scott Torres Nguyen Hill "
    "Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts Gomez Phillips "
    "Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart Morris Morales Murphy Cook Rogers "
    "Gutierrez Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson "
    "Watson Brooks Chavez Wood James Bennett Gray Mendoza Ruiz Hughes Price Alvarez Castillo "
    "Sanders Patel Myers Long Ross Foster Jimenez Powell Jenkins Perry Russell Sullivan Bell "
    "Coleman Butler Henderson Barnes Fisher Vasquez Simmons Romero Jordan Patterson Alexander "
    "Hamilton Graham Reynolds Griffin Wallace Moreno West Cole Hayes Bryant Herrera Gibson Ellis "
    "Tran Medina Aguilar Stevens Murray Ford Castro Marshall Owens Harrison Fernandez McDonald "
    "Washington Kennedy Wells Vargas Henry Chen Freeman Webb Tucker Guzman Burns Crawford Olson "
    "Simpson Porter Hunter Gordon Mendez Silva Shaw Snyder Mason Dixon Munoz Hunt Hicks Holmes "
    "Palmer Wagner Black Robertson Boyd Rose Stone Salazar Fox Warren Mills Meyer Rice Schmidt "
    "Garza Daniels Ferguson Nichols Stephens Soto Weaver Ryan Gardner Payne Grant Dunn Spencer "
    "Hawkins Arnold Pierce Hansen Peters Santos Hart Bradley Knight Elliott Cunningham Duncan "
    "Armstrong Hudson Carroll Lane Riley Andrews Alvarado Ray Delgado Berry Perkins Hoffman "
    "Johnston Matthews Pena Richards Contreras Willis Carpenter Lawrence Sandoval Müller O'Brien "
    "O'Connor García-López D'Souza Åkesson Jørgensen"
)

# The long tail: families named after a place or a forefather, put together as such names are.
TAIL = (
    (
        "Alder Amber Ash Barn Beck Birch Black Brad Bram Bren Brook Buck Burn Cald Calver Carl "
        "Chat Chester Clay Clif Cole Cran Crom Dal Darn Dray Dun East Eck Ell Elm Fair Farn Fen "
        "Fern Finch Gar Glen Gold Gran Hals Ham Har Hather Hawk Hazel Heath Hen Hol Horn Hurst "
        "Kel Ken Kings Kirk Lang Lap Lin Long Lyn Mar Mel Mid Mor Mul Nash New Nor Oak Off Oxen "
        "Pad Pem Pen Rad Rams Red Rock Rother Row Rush Sax Sea Shel Sher Stan Stav Stock Sut "
        "Thorn Til Trent Wal War Water Wen West Whit Wild Win Wood Wor Yar"
    ),
    (
        "bourne brook bury by combe cote croft dale den field ford gate grave ham hurst ington ley "
        "low man mere more over ridge shaw stead stoke thorpe ton wall ward well wick wood worth"
    ),
), (
    (
        "Adam Andrz Bart Bed Bern Biel Bogd Bor Brodz Chmiel Czar Dab Dobr Dom Drozd Dud Filip "
        "Gal Gor Grab Jab Jan Jaw Kacz Kal Kam Karp Kos Krup Kuj Lew Lis Maj Mal Mark Maz Mich "
        "Nowak Ols Ost Paw Piet Ruk Sik Sob Stach Szym Tom Urb Wal Was Wilk Zaw Ziel"
    ),
    "czyk ecki ewicz iak icki inski kowski kiewicz orski owicz owski ski",
), (
    (
        "Anders Arvids Bengts Berg Björn Carls Dahl Eks Ekl Engl Eriks Frid Gran Gustaf Hag Hall "
        "Hedl Holm Jans Karls Kjell Lars Lind Lund Magnus Matts Nords Nyl Olofs Pers Rosen Sand "
        "Sjö Ström Sund Svens Thor Vik Wall Åker Öst"
    ),
    "berg blad bo dal feldt gren haug heim holm kvist land lund mark qvist rud sen son ström vik",
), (
    (
        "Ade Afo Aki Ama Ayo Babat Chi Chuku Dike Efe Eke Eme Ene Ezi Fola Ibe Ife Ike Iro Jide "
        "Kele Ndu Nna Nwa Obi Ode Ogo Oke Oko Ola Olu Omo Onye Ore Oye Uche Ugo Uzo"
    ),
    "bisi dele dinma funmi gozie kachi kunle lade mbah miwa nkwo ola pade runmi sola tola wale",
), (
    (
        "Agar Ahlu Amin Anan Arun Bala Bhar Chand Chak Dev Dhar Gan Gop Hari Jag Jay Kal Kri Laks "
        "Mah Man Moh Nand Nar Pad Par Prab Raj Ram Rav Sat Shan Shiv Sri Sub Sur Ven Vij Vish"
    ),
    "adas appa asamy athan avan endra esan eshwar gopal inder kumar mani murthy nath raj walia",
)  # fmt: skip

WOMEN = (
    "Mary Elizabeth Patricia Jennifer Linda Maria Susan Margaret Sarah Jessica Karen Nancy Lisa "
    "Betty Sandra Ashley Dorothy Kimberly Emily Donna Michelle Carol Amanda Melissa Deborah "
    "Stephanie Rebecca Sharon Laura Cynthia Kathleen Amy Angela Shirley Anna Ruth Brenda Pamela "
    "Nicole Katherine Samantha Christine Catherine Virginia Rachel Carolyn Janet Emma Joyce Diane "
    "Helen Julie Olivia Heather Victoria Kelly Christina Lauren Joan Evelyn Judith Andrea Hannah "
    "Cheryl Megan Jacqueline Martha Madison Teresa Gloria Sara Janice Ann Kathryn Abigail Sophia "
    "Frances Jean Alice Judy Isabella Julia Grace Amber Denise Danielle Marilyn Beverly Charlotte"
)
MEN = (
    "James Robert John Michael David William Richard Joseph Thomas Christopher Charles Daniel "
    "Matthew Anthony Mark Donald Steven Andrew Paul Joshua Kenneth Kevin Brian George Timothy "
    "Ronald Jason Edward Jeffrey Ryan Jacob Gary Nicholas Eric Jonathan Stephen Larry Justin Scott "
    "Brandon Benjamin Samuel Gregory Alexander Patrick Frank Raymond Jack Dennis Jerry Tyler Aaron "
    "Jose Adam Nathan Henry Zachary Douglas Peter Kyle Noah Ethan Jeremy Walter Christian Keith "
    "Roger Terry Austin Sean Gerald Carl Harold Dylan Arthur Lawrence Jordan Jesse Bryan Billy "
    "Bruce Gabriel Joe Logan Alan Juan Albert Willie Elijah Wayne Randy Vincent Mason Roy Ralph"
)


def _by_rank(*groups: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(itertools.chain.from_iterable(groups)))


def _tail() -> list[str]:
    """The rare names, those of different origins in turn."""
    origins = [[f"{a}{b}" for b in ends.split() for a in begins.split()] for begins, ends in TAIL]
    turns = itertools.zip_longest(*origins)
    return [name for turn in turns for name in turn if name]


FAMILIES = _by_rank(
    COMMON_FAMILIES.split(),
    [name for origin in ORIGINS for name in origin.families.split()],
    _tail(),
)
GIVEN = {
    "F": _by_rank(WOMEN.split(), [name for origin in ORIGINS for name in origin.women.split()]),
    "M": _by_rank(MEN.split(), [name for origin in ORIGINS for name in origin.men.split()]),
}


def shares(names: Sequence[str]) -> list[float]:
    """Return the running sum of the names' shares, for `random.choices(cum_weights=)`."""
    return list(itertools.accumulate(1 / (rank + RANK_OFFSET) for rank in range(1, len(names) + 1)))


FAMILY_SHARES = shares(FAMILIES)
GIVEN_SHARES = {sex: shares(names) for sex, names in GIVEN.items()}
