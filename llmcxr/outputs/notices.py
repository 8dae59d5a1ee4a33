"""Hold what every output says of itself. The only place of these sentences."""

DISCLAIMER = "Research software, not a medical device."
FIDELITY_NOTICE = "High fidelity is no proof that a finding survives."
PHANTOM_NOTICE = (
    "This model was trained on computed phantoms only: what it says of a real radiograph means nothing."
)
SYNTHETIC_IMAGES = "Synthetic images, by a model trained on computed phantoms only."
SYNTHETIC = "Synthetic image drawn by a model; not a radiograph of a patient."
REPETITIVE = "This text repeats the same words over and over, as a model does where it fails: do not use it."
