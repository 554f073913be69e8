"""The procedure catalogue: what can be ordered, why people order it, and what is found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One way an exam turns out: findings and impression, and how often."""

    findings: str
    impression: str
    weight: int = 1


@dataclass(frozen=True)
class Line:
    """A line of the catalogue.

    Attributes:
        code: ours, scheme L.
        meaning: as people say it.
        modality: of the room.
        body_part: (0018,0015).
        minutes: slot length.
        often: weight in the mix of a working day.
        reasons: why it is ordered.
        outcomes: how it turns out.
        technique: first words of the report.
        sex: F or M where only they have it.
        ages: youngest and oldest.
        loinc: where known.
        preparation: what the patient is told.
        vetted: whether a radiologist agrees first.
        sided: whether it is of a left or a right.
        emergency: how often it comes from the emergency department, 0 to 1.
    """

    code: str
    meaning: str
    modality: str
    body_part: str
    minutes: int
    often: int
    reasons: tuple[str, ...]
    outcomes: tuple[Finding, ...]
    technique: str = ""
    sex: str = ""
    ages: tuple[int, int] = (16, 96)
    loinc: str = ""
    preparation: str = ""
    vetted: bool = False
    sided: bool = False
    emergency: float = 0.1


FASTING = "Nothing to eat for 6 hours before; water is allowed."
CONTRAST = "Drink plenty. Tell us of kidney disease, metformin or an earlier reaction to contrast."
MAGNET = "Tell us of pacemakers, clips, implants and metal in the eye. Wear no jewellery."

F = Finding

CT = (
    Line(
        "CTCHEST", "CT chest", "CT", "CHEST", 20, 14,
        ("Cough for six weeks, 40 pack years. Mass?",
         "Follow-up of a lung nodule seen on chest X-ray.",
         "Breathless on exertion, fine crackles at both bases. Fibrosis?",
         "Weight loss of 8 kg in three months. Tumour?"),
        (F("Lungs clear. No nodule, no consolidation. Airways patent to the segments. Heart of "
           "normal "
           "size. No enlarged mediastinal or hilar nodes. No pleural or pericardial effusion. No "
           "destructive bone lesion.",
           "No significant abnormality of the chest.", 5),
         F("Solid nodule of 6 mm in the left upper lobe, smooth. No further nodule. No enlarged "
           "nodes. "
           "No effusion. Mild calcification of the aortic arch.",
           "1. Solid nodule of 6 mm in the left upper lobe.\n2. CT in 6 to 12 months is "
           "advised.", 2),
         F("Bands of atelectasis at both bases. Emphysema, mild, upper lobes. No nodule. Nodes of "
           "normal size.",
           "Mild emphysema. No suspicious nodule.", 2)),
        "Volume acquisition without contrast, 5 mm and 10 mm sharp reconstructions.",
        loinc="24627-2", emergency=0.12),
    Line(
        "CTPA", "CT pulmonary angiogram", "CT", "CHEST", 20, 7,
        ("Sudden pleuritic chest pain and breathlessness. D-dimer raised. Embolism?",
         "Day 9 after hip surgery, oxygen saturation 91 % on air. Embolism?"),
        (F("Good opacification of the pulmonary arteries to subsegmental level. No filling "
           "defect. No "
           "right heart strain. Dependent atelectasis.",
           "No pulmonary embolism.", 4),
         F("Filling defects in the segmental arteries of the right lower lobe. Right to left "
           "ventricle "
           "ratio 0.9. Small wedge of consolidation in the same segment.",
           "Pulmonary embolism, segmental, right lower lobe. No heart strain.", 1)),
        "Contrast volume timed to the pulmonary trunk.", preparation=CONTRAST, emergency=0.75),
    Line(
        "CTABDPEL", "CT abdomen and pelvis with contrast", "CT", "ABDOMEN", 30, 14,
        ("Right iliac fossa pain, CRP 140. Appendicitis?",
         "Staging of a newly found colon tumour.",
         "Abdominal pain and vomiting, old laparotomy scar. Obstruction?",
         "Unexplained fever after surgery. Collection?"),
        (F("Liver, spleen, pancreas, adrenals and kidneys normal. No free air or fluid. Bowel of "
           "normal "
           "calibre. Appendix normal. No enlarged nodes.",
           "No cause found for the pain.", 4),
         F("Simple cyst of the liver, 28 mm. Stone of 5 mm in the left kidney, not obstructing. "
           "Diverticula of the sigmoid without inflammation.",
           "1. No acute abnormality.\n2. Left kidney stone of 5 mm, not obstructing.", 3),
         F("Appendix 11 mm with stranding of the fat around it. No collection. No free air.",
           "Acute appendicitis, not perforated.", 1)),
        "Portal venous phase, 5 mm.", loinc="36813-4", preparation=f"{FASTING} {CONTRAST}",
        emergency=0.4),
    Line(
        "CTHEAD", "CT head", "CT", "HEAD", 15, 12,
        ("Fall from standing, on apixaban. Bleeding?",
         "Sudden severe headache this morning. Subarachnoid haemorrhage?",
         "New confusion in an 84 year old. Subdural?",
         "Left-sided weakness since 07:40. Stroke?"),
        (F("No haemorrhage, no territorial infarct. Ventricles and sulci of normal width for the "
           "age. "
           "Midline central. Vault intact.",
           "No acute intracranial abnormality.", 6),
         F("Low density of the white matter around the ventricles. Sulci widened. No haemorrhage.",
           "Small vessel disease and volume loss; no acute abnormality.", 3),
         F("Haemorrhage of 28 mm in the right lentiform nucleus with a rim of oedema. Midline "
           "shift of "
           "3 mm to the left. Ventricles open.",
           "Acute haemorrhage in the right basal ganglia. Told to the referrer by telephone.", 1)),
        "Axial 5 mm without contrast.", loinc="24725-4", emergency=0.7),
    Line(
        "CTKUB", "CT urinary tract", "CT", "ABDOMEN", 15, 6,
        ("Left loin to groin pain, blood in the urine. Stone?",),
        (F("No stone in kidneys, ureters or bladder. No dilatation.", "No urinary stone.", 2),
         F("Stone of 5 mm at the lower pole of the left kidney. Ureters of normal width.",
           "Left renal stone of 5 mm, not obstructing.", 2)),
        "Low dose, without contrast.", emergency=0.5),
    Line(
        "CTSINUS", "CT sinuses", "CT", "HEAD", 10, 3,
        ("Blocked nose for a year in spite of steroids. Planning of surgery.",),
        (F("Mucosal thickening of both maxillary sinuses. Ostiomeatal units narrowed. Septum to "
           "the left.",
           "Chronic sinusitis, maxillary.", 1),
         F("Sinuses clear. Septum straight.", "Normal sinuses.", 1)),
        "Thin slices without contrast."),
    Line(
        "CTCORON", "CT coronary angiogram", "CT", "HEART", 40, 3,
        ("Atypical chest pain, family history of infarction.",),
        (F("Calcium score 42. Mixed plaque of the proximal left anterior descending artery, under "
           "50 %. "
           "Right and circumflex arteries without stenosis.",
           "Coronary disease without significant stenosis (CAD-RADS 2).", 1),
         F("Calcium score 0. No plaque.", "Normal coronary arteries (CAD-RADS 0).", 1)),
        "Gated, after beta blocker and nitrate.", ages=(30, 80), preparation=CONTRAST, vetted=True),
    Line(
        "CTCSPINE", "CT cervical spine", "CT", "CSPINE", 15, 4,
        ("Fell down stairs, midline neck pain. Fracture?",),
        (F("Normal alignment. No fracture. Degenerative change at C5/6.", "No fracture.", 4),
         F("Fracture through the base of the dens, not displaced.", "Fracture of the dens, type "
                                                                    "II.", 1)),
        "Thin slices, bone and soft tissue kernels.", emergency=0.85),
)  # fmt: skip

MR = (
    Line(
        "MRBRAIN", "MR brain", "MR", "BRAIN", 30, 9,
        ("Episodes of numbness of the left arm, visual blurring last spring. Demyelination?",
         "Headaches with nausea in the morning. Mass?",
         "First seizure. Cause?"),
        (F("Normal signal of brain and brainstem. Ventricles of normal width. No mass. Flow voids "
           "preserved.",
           "Normal MR of the brain.", 3),
         F("Several foci of high signal on T2 and FLAIR beside the ventricles, oval, at right "
           "angles to "
           "them. None in the posterior fossa.",
           "Periventricular lesions as in demyelination.", 2),
         F("Few punctate foci of high signal in the frontal white matter, of no consequence at "
           "this age.",
           "No cause found for the headaches.", 2)),
        "T1, T2 and FLAIR "
        "axial.", loinc="24590-2", preparation=MAGNET, vetted=False, emergency=0.08),
    Line(
        "MRLSPINE", "MR lumbar spine", "MR", "LSPINE", 30, 10,
        ("Low back pain with pain down the left leg for eight weeks. Root compression?",
         "Numbness of the saddle since last night. Cauda equina?",
         "Back pain, earlier breast cancer. Metastases?"),
        (F("Normal alignment and height of the vertebrae. Discs hydrated. No stenosis. Conus at "
           "L1.",
           "Normal lumbar spine.", 2),
         F("Disc L4/5 dry and narrowed, with a protrusion to the left of the midline that "
           "displaces the "
           "left L5 root. Other levels without stenosis.",
           "Disc protrusion L4/5 with displacement of the left L5 root.", 3),
         F("Dry discs at L4/5 and L5/S1 without protrusion. Facet joints worn.",
           "Degenerative change without root compression.", 2)),
        "T1 and T2 sagittal.", loinc="24968-0", preparation=MAGNET, emergency=0.1),
    Line(
        "MRKNEE", "MR knee", "MR", "KNEE", 30, 8,
        ("Twisted playing football, locking since. Meniscus?",
         "Giving way after an old injury. Cruciate ligament?"),
        (F("Oblique tear of the posterior horn of the medial meniscus. Ligaments intact. Small "
           "effusion.",
           "Tear of the medial meniscus.", 2),
         F("Menisci, cruciate and collateral ligaments intact. Cartilage preserved.", "Normal "
                                                                                      "knee.", 2)),
        "Proton density with and without fat saturation, three "
        "planes.", preparation=MAGNET, sided=True,
        ages=(14, 75)),
    Line(
        "MRSHOULD", "MR shoulder", "MR", "SHOULDER", 30, 4,
        ("Painful arc, weak abduction. Tear of the cuff?",),
        (F("Partial tear of the supraspinatus at its insertion. Fluid in the bursa.",
           "Partial tear of the supraspinatus tendon.", 1),
         F("Tendinosis of the supraspinatus, no tear.", "Supraspinatus tendinosis.", 1)),
        "Three planes.", preparation=MAGNET, sided=True),
    Line(
        "MRPROST", "MR prostate", "MR", "PROSTATE", 40, 4,
        ("PSA 7.8, rising. Biopsy planned.",),
        (F("Transition zone nodular. Peripheral zone of even high signal. Volume 52 "
           "ml.", "PI-RADS 2.", 2),
         F("Focus of 9 mm in the left peripheral zone, dark on ADC, early enhancement. Capsule "
           "smooth.",
           "PI-RADS 4, left peripheral zone.", 1)),
        "Multiparametric.", sex="M", ages=(48, 82), preparation=MAGNET, vetted=True),
    Line(
        "MRCSPINE", "MR cervical spine", "MR", "CSPINE", 30, 4,
        ("Arm pain and clumsy hands. Cord compression?",),
        (F("Osteophytes at C5/6 narrow the canal to 9 mm; the cord is not compressed, its signal "
           "normal.",
           "Moderate canal narrowing C5/6 without cord damage.", 1),
         F("Normal alignment. Canal and foramina wide.", "Normal cervical spine.", 1)),
        "T1 and T2 sagittal, T2 axial.", preparation=MAGNET),
    Line(
        "MRLIVER", "MR liver with contrast", "MR", "ABDOMEN", 45, 3,
        ("Lesion of the liver found by ultrasound. Nature?",),
        (F("Lesion of 24 mm in segment VII, bright on T2, nodular filling from the edge.",
           "Haemangioma of the liver.", 1),
         F("Cysts of the liver, the largest 30 mm. No solid lesion.", "Simple liver cysts.", 1)),
        "Dynamic study with hepatobiliary phase.", preparation=f"{FASTING} {MAGNET}", vetted=True),
)  # fmt: skip

XR = (
    Line(
        "XRCHEST", "X-ray chest", "DX", "CHEST", 10, 26,
        ("Cough and fever for four days. Pneumonia?",
         "Breathless, ankle swelling. Heart failure?",
         "Before surgery, known COPD.",
         "Fall onto the left side. Rib fracture, pneumothorax?"),
        (F("Lungs clear. Heart of normal size. No effusion.", "Normal chest.", 6),
         F("Consolidation of the right lower zone. No effusion. Heart of normal size.",
           "Right lower lobe pneumonia. A film in six weeks is advised.", 2),
         F("Cardiothoracic ratio 0.56. Upper lobe vessels distended. Blunt left costophrenic "
           "angle.",
           "Heart failure with a small left effusion.", 1)),
        "PA.", loinc="36643-5", ages=(3, 99), emergency=0.5),
    Line(
        "XRHAND", "X-ray hand", "DX", "HAND", 10, 8,
        ("Punched a wall. Fracture of the fifth metacarpal?",
         "Stiff swollen finger joints in the morning. Erosions?"),
        (F("No fracture or dislocation. Joint spaces preserved. No erosion.", "Normal hand.", 3),
         F("Fracture of the neck of the fifth metacarpal with palmar angulation. Joints congruent.",
           "Fracture of the fifth metacarpal neck.", 1)),
        "PA.", ages=(5, 95), sided=True, emergency=0.6),
    Line(
        "XRKNEE", "X-ray knee", "DX", "KNEE", 10, 9,
        ("Pain on stairs, crepitus. Osteoarthritis?",
         "Twisted knee, cannot bear weight. Fracture?"),
        (F("No fracture. Joint spaces preserved.", "Normal knee.", 2),
         F("Medial joint space narrowed with osteophytes and sclerosis. No fracture.",
           "Osteoarthritis of the medial compartment.", 2)),
        "AP standing.", ages=(8, 95), sided=True, emergency=0.35),
    Line(
        "XRANKLE", "X-ray ankle", "DX", "ANKLE", 10, 8,
        ("Inversion injury, tender lateral malleolus. Fracture?",),
        (F("No fracture. Soft tissue swelling laterally.", "No fracture.", 3),
         F("Fracture of the tip of the lateral malleolus, not displaced.", "Weber A fracture.", 1)),
        "AP and lateral.", ages=(6, 90), sided=True, emergency=0.8),
    Line(
        "XRPELVIS", "X-ray pelvis", "DX", "PELVIS", 10, 7,
        ("Fall, short and rotated left leg. Hip fracture?", ("Groin pain on walking. "
                                                            "Osteoarthritis?")),
        (F("No fracture. Joint spaces even.", "No fracture.", 3),
         F("Fracture of the left femoral neck, displaced.", "Displaced fracture of the left "
                                                            "femoral neck.", 1)),
        "AP.", ages=(18, 99), emergency=0.6),
    Line(
        "XRWRIST", "X-ray wrist", "DX", "WRIST", 10, 6,
        ("Fall on outstretched hand. Fracture?",),
        (F("No fracture. Carpal bones in line.", "No fracture.", 2),
         F("Fracture of the distal radius with dorsal angulation of 15 degrees.", "Colles' "
                                                                                  "fracture.", 1)),
        "PA and lateral.", ages=(5, 95), sided=True, emergency=0.8),
    Line(
        "XRLSPINE", "X-ray lumbar spine", "DX", "LSPINE", 10, 5,
        ("Sudden back pain after lifting, known osteoporosis. Collapse?",),
        (F("Heights preserved. Narrow disc L5/S1.", "No fracture.", 2),
         F("Wedge fracture of L1, height reduced by a third.", "Fracture of L1, probably "
                                                               "osteoporotic.", 1)),
        "AP and lateral.", ages=(20, 95), emergency=0.3),
    Line(
        "XRABDO", "X-ray abdomen", "DX", "ABDOMEN", 10, 4,
        ("Vomiting, distended abdomen. Obstruction?",),
        (F("Normal bowel gas pattern. No free air.", "No obstruction.", 2),
         F("Dilated loops of small bowel to 4 cm.", "Small bowel obstruction; CT is advised.", 1)),
        "AP supine.", ages=(16, 95), emergency=0.7),
    Line(
        "XRSHOULD", "X-ray shoulder", "DX", "SHOULDER", 10, 5,
        ("Fell from bicycle, deformed shoulder. Dislocation?",),
        (F("Joint congruent. No fracture.", "Normal shoulder.", 2),
         F("Anterior dislocation of the humeral head. No fracture.", "Anterior dislocation.", 1)),
        "AP and axial.", ages=(10, 92), sided=True, emergency=0.6),
)  # fmt: skip

US = (
    Line(
        "USABDO", "Ultrasound abdomen", "US", "ABDOMEN", 20, 14,
        ("Colicky pain under the right ribs after meals. Gallstones?",
         "Raised liver enzymes. Fatty liver?",
         "Blood in the urine, no pain. Renal mass?"),
        (F("Liver of normal size and echo pattern. Gall bladder thin-walled, without stones. "
           "Common duct "
           "4 mm. Both kidneys normal. Spleen 10 cm.",
           "Normal ultrasound of the abdomen.", 3),
         F("Stone of 9 mm in the gall bladder with shadow, moving. Wall thin. Common duct 4 mm.",
           "Gallstone without inflammation.", 2),
         F("Cyst of 22 mm at the upper pole of the right kidney, simple. Otherwise normal.",
           "Simple cyst of the right kidney.", 1)),
        "Curved probe.", loinc="24558-9", preparation=FASTING, emergency=0.15),
    Line(
        "USECHO", "Echocardiogram", "US", "HEART", 40, 5,
        ("New murmur. Valve disease?", "Before chemotherapy. Ejection fraction?"),
        (F("Left ventricle of normal size, ejection fraction 60 %. Valves thin, no more than "
           "trivial "
           "regurgitation. No effusion.",
           "Normal heart.", 3),
         F("Ejection fraction 45 %, inferior wall hypokinetic. Mild mitral regurgitation.",
           "Mildly reduced function of the left ventricle.", 1)),
        "Transthoracic.", ages=(20, 95)),
    Line(
        "USPELVIS", "Ultrasound pelvis", "US", "PELVIS", 20, 6,
        ("Heavy periods. Fibroids?", "Pain on the left. Ovarian cyst?"),
        (F("Uterus of normal size. Endometrium 6 mm. Ovaries with small follicles. No free fluid.",
           "Normal pelvis.", 2),
         F("Fibroid of 38 mm in the anterior wall. Ovaries normal.", "Uterine fibroid of 38 "
                                                                     "mm.", 1)),
        "Through the abdomen, full bladder.", sex="F", ages=(16, 75),
        preparation="Drink one litre an hour before, and do not empty the bladder."),
    Line(
        "USTHYROID", "Ultrasound thyroid", "US", "NECK", 20, 5,
        ("Lump in the neck that moves on swallowing.",),
        (F("Spongiform nodule of 12 mm in the right lobe. No suspicious nodes.", "TI-RADS 1.", 2),
         F("Hypoechoic nodule of 14 mm, taller than wide, in the left lobe.", "TI-RADS 5; "
                                                                              "puncture "
                                                                              "advised.", 1)),
        "Linear probe."),
    Line(
        "USVEINS", "Ultrasound leg veins", "US", "LEG", 20, 7,
        ("Swollen painful calf after a long flight. Thrombosis?",),
        (F("Femoral and popliteal veins compressible, with flow.", "No deep vein thrombosis.", 3),
         F("Popliteal vein not compressible, no flow.", "Thrombosis of the popliteal vein.", 1)),
        "Compression and Doppler.", sided=True, emergency=0.5),
    Line(
        "USCAROTID", "Ultrasound carotids", "US", "NECK", 30, 3,
        ("Transient loss of vision in one eye.",),
        (F("Soft plaque at both bifurcations, stenosis under 50 %.", "No significant stenosis.", 2),
         F("Stenosis of 70 to 79 % of the left internal carotid artery.", "Significant stenosis, "
                                                                          "left.", 1)),
        "Duplex.", ages=(45, 92)),
    Line(
        "USOBSTET", "Ultrasound pregnancy, 20 weeks", "US", "PELVIS", 30, 4,
        ("Routine anomaly scan at 20 weeks.",),
        (F("Single live fetus, measures as dated. Anatomy as expected. Placenta posterior, not "
           "low.",
           "Normal scan at 20 weeks.", 4),),
        "Through the abdomen.", sex="F", ages=(18, 44)),
)  # fmt: skip

MG = (
    Line(
        "MGSCREEN", "Mammography screening, both", "MG", "BREAST", 15, 13,
        ("Screening round.",),
        (F("Breast density B. No mass, no suspicious calcification, no distortion.", "BI-RADS "
                                                                                     "1.", 8),
         F("Scattered round calcifications, both sides, benign.", "BI-RADS 2.", 3),
         F("Spiculated mass of 14 mm in the left upper outer quadrant with fine calcifications.",
           "BI-RADS 5, left. Recall for biopsy.", 1)),
        "CC and MLO of both sides.", sex="F", ages=(47, 76), loinc="24606-6", emergency=0.0),
    Line(
        "MGDIAG", "Mammography with further views", "MG", "BREAST", 20, 3,
        ("Lump felt in the left breast.", "Recall from screening."),
        (F("Oval mass of 12 mm with sharp edge, unchanged.", "BI-RADS 2.", 2),
         F("Mass of 16 mm with irregular edge. Ultrasound and biopsy follow.", "BI-RADS 4.", 1)),
        "Spot compression and true lateral.", sex="F", ages=(35, 85), emergency=0.0),
)  # fmt: skip

CATALOGUE: tuple[Line, ...] = (*CT, *MR, *XR, *US, *MG)
BY_CODE = {line.code: line for line in CATALOGUE}
