"""Names of people who do not exist, as PN, from the many places a city's patients come from."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """Family and given names that go together; the share is of the city's people."""

    share: int
    families: str
    women: str
    men: str


ORIGINS = (
    Origin(
        34,
        "Holloway Marlowe Sinclair Fitzgerald Whitfield Hargreaves Thorne Bellamy Pritchard "
        "Ashworth "
        "Cartwright Fenwick Greaves Hollis Kendrick Langley Merrick Norwood Oakes Prescott "
        "Rowntree "
        "Sedgwick Tattersall Underhill Wainwright Yardley Bond-Taylor Murphy Bell Cole Lane",
        "Frances Maeve June Harriet Olive Beatrice Imogen Dorothy Elsie Niamh Rosalind Poppy Edith "
        "Marjorie Sheila Pauline Hazel Bridget",
        "Arthur Oscar George Alfie Ronan Stanley Walter Hugh Dylan Ewan Clifford Leonard Reginald "
        "Callum Barnaby Neil",
    ),
    Origin(
        12,
        "Okonkwo Oyelaran Adebayo Mensah Asante Okafor Akintola Ofori Mbeki Ndiaye Osei Boateng "
        "Chukwu Diallo Nkosi Abebe",
        "Adaeze Grace Folake Abena Ngozi Amara Thandiwe Fatou Efua Zainab Wanjiru Blessing",
        "Tunde Sipho Moussa Kwame Chidi Kofi Emeka Babajide Thabo Samuel Yaw Ibrahima",
    ),
    Origin(
        13,
        "Chaudhry Hussain Rahman Joshi Ahluwalia Raman Patel Iyer Banerjee Akhtar Bhatti Nair "
        "Siddiqui "
        "Malhotra Perera Fernando",
        "Khadija Priya Anjali Meera Nusrat Lakshmi Ayesha Sunita Deepa Farzana Kavita Nadia",
        "Bilal Arjun Imran Rohan Suresh Yusuf Tariq Vikram Anand Kamal Harish Naveed",
    ),
    Origin(
        10,
        "Kowalczyk Pawlak Zielinska Novak Horvat Dvorak Petrauskas Kaminski Wisniewska Balogh "
        "Ilieva "
        "Dragan Popescu Sobol",
        "Zofia Lina Agnieszka Katarzyna Milena Ivana Eszter Ruta Daniela Jadwiga Elena",
        "Piotr Marek Tomasz Goran Jakub Andrei Laszlo Vytautas Nikola Zbigniew Stefan",
    ),
    Origin(
        9,
        "Duarte Santos Quintero Alves Castellano Estrada Sandoval Costa Vargas Ferreira Mendoza "
        "Rossi Bianchi Fontaine Laurent Dubois Lefevre",
        "Lucia Odile Carmen Ines Chiara Beatriz Rosa Amelie Paola Teresa Manon",
        "Tomas Giancarlo Rafael Mateo Luca Etienne Joaquim Pascal Diego Andre Emilio",
    ),
    Origin(
        9,
        "Halvorsen Bergstrom Lindgren Nilsen Makinen Ojala Strand Petersen Vermeer Hofman "
        "Achterberg "
        "Baumann Krause Reinhardt Dietrich Gregersen",
        "Ulla Annelies Kirsten Aino Greta Sigrid Helga Ingrid Femke Saskia Liesel",
        "Bjorn Piet Per Karl Ruud Mikko Henrik Joost Matthias Lars Dieter",
    ),
    Origin(
        7,
        "Ibrahim Abdullahi Haddad Salim Yilmaz Khoury Mansour Najjar Aydin Demir Farouk Rostami",
        "Layla Yasmin Hanan Elif Samira Mariam Shirin Nour Zeynep Rania",
        "Omar Karim Hassan Emre Walid Mehmet Ziad Reza Nabil Mustafa",
    ),
    Origin(
        6,
        "Tan Nguyen Watanabe Lim Zhang Park Tran Chen Santos-Reyes Wong Kim Hoang",
        "Emi Mei Linh Ji-woo Hui Min Aiko Thuy Xiu Maricel Siew Lan Yuna",
        "Wei Ming Minh Jun Hao Takeshi Duc Kenji Sung-ho Anton Boon Kai Haruto Quang",
    ),
)

WRITTEN = (
    ("Παπαδοπούλου^Ελένη", "F"),
    ("Соколова^Ирина", "F"),
    ("Nakamura^Emi=中村^恵美=なかむら^えみ", "F"),
    ("Tan^Wei Ming=陈^伟明", "M"),
    ("Kim^Sung-ho=김^성호", "M"),
    ("Bergström^Ulla", "F"),
    ("Núñez^Tomás", "M"),
    ("Şahin^Gülşen", "F"),
    ("Αντωνίου^Νίκος", "M"),
    ("D'Angelo^Maria Teresa", "F"),
    ("van der Meer^Johanna", "F"),
    ("Martins de Oliveira^Ana Carolina", "F"),
)
"""Names that a system has to write and find as their owners do."""


def person(rng: random.Random, sex: str) -> str:
    """Return `Family^Given` of a person; now and then with a middle name."""
    origin = rng.choices(ORIGINS, weights=[o.share for o in ORIGINS])[0]
    given = (origin.women if sex == "F" else origin.men).split()
    first = rng.choice(given)
    middle = f"^{rng.choice(given)}" if rng.random() < 0.12 else ""
    if middle == f"^{first}":
        middle = ""
    return f"{rng.choice(origin.families.split())}^{first}{middle}"


STREETS = (
    "Mill Lane", "Harbour Street", "Orchard Road", "Station Approach", "Bramble Close", "Kiln Row",
    "Castle Hill", "Weavers Court", "Larch Avenue", "Quayside", "Chapel Street", "Ferry Road",
)  # fmt: skip
TOWNS = ("Northmere", "Alderbridge", "Saltwick", "Upper Fenby", "Riverside", "Coldharbour")


def address(rng: random.Random) -> str:
    """Return an address in a county that is on no map."""
    return f"{rng.randint(1, 180)} {rng.choice(STREETS)}, {rng.choice(TOWNS)}"
