"""Mend the common misspellings of the long words that name findings. Knows no sentences.

Two words are near where both become the same by dropping one letter each, or two letters each for words of
ten letters and more: that covers a letter too many, too few, another one, and two exchanged. A real word that
is near by chance is listed in REAL_WORDS and stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import combinations

_WORDS = """
abnormality airspace angiogram arthroplasty atelectases atelectasis atelectatic bibasilar bilateral
bronchopneumonia calcification calcified cardiac cardiomediastinal cardiomegaly cardiopulmonary catheter
catheters cavitary clavicle collapse congestion congestive consolidation consolidations consolidative
costophrenic defibrillator edema effusion effusions emphysema endotracheal enlarged enlargement fibrosis
fissure fracture fractures granuloma hardware hernia hydropneumothorax infiltrate infiltrates infiltration
interstitial mediastinal mediastinum nodular nodule nodules normal opacification opacities opacity
pacemaker parenchymal pleural pneumonia pneumonias pneumothoraces pneumothorax prominent pulmonary
reticular retrocardiac scarring silhouette sternotomy thickening tracheostomy unremarkable vascular
vascularity widened widening
"""
_REAL_WORDS = """
abnormal abnormalities abnormally allusion amplification angiograms angiography angular apical
arthroplasties atelectasia atelectatically auricular basilar bilaterally bronchopneumonias calcific
calcifications calcifies calcify capacities capacity cardia cardial cardiomegalic carotid carrying
catheterised catheterization catheterized cathode cavitated cavitation cavities cavity chylothorax
clarification classified clavicles clavicular collapsable collapsed collapses collapsing collateral
collaterals conclusion congested congestions connection connections connective consideration
considerations consolation consolidate consolidated consolidates consolidating contention contusion
contusions convention conversion costochondral defibrillators diffusion diffusions edemas effusive
emphysematous empyema empyemas endobronchial enema enemas engagement engorged engorgement enlarge
enlargements enlarges enlarging exclusion exfiltration factures fibroses fibrotic fibrous fissural
fissured fissures formal fraction fractions fractural fractured granulomas granulomata granulomatous
haemopneumothorax haemothorax hardwire hardwired hemopneumothorax hemothorax hernias herniated hiatal hila
hilum hydropneumothoraces hydrothorax inclusion infiltrated infiltrating infiltrative infrahilar infusion
infusions interstitially interstitium intratracheal jugular lateral lobular mediastinally mediastinitis
mediastinoscopy modular module modules muscular neural nodularity nodulation noduled normale normals
norman occlusion oedema opacifications opacified opaque pacemakers parenchyma particular pericardiac
pericardial perihilar pleura pleurae plural plurals pneumatic pneumonic pneumonitis pneumothoracic
profusion prominence prominency prominently pulmonic pyothorax qualification remarkable reticulate
reticulation reticule retrocardial rural scaring scarred searing silhouetted silhouettes sparing sparring
specification specifications staring sternotomies suture telangiectasis thicken thickened thickens
thinning tracheal tracheotomy tubular unilateral valvular vascularly vasculature ventricular widely
wideness widens window
"""
LONGEST = 24  # letters; what is longer is no slip of a word below
WORDS = tuple(_WORDS.split())
REAL_WORDS = frozenset(_REAL_WORDS.split())
_SHORT_WORDS = {
    misspelt: word
    for word, misspellings in {
        "heart": "haert hart heert",
        "lungs": "lugns lngs",
        "fracture": "fx fxs frx",
        "mild": "midl mlid",
        "small": "smal samll",
    }.items()
    for misspelt in misspellings.split()
}
_WORD = re.compile(r"[a-z]+")


def correct(sentence: str) -> str:
    """Replace each misspelt word of a sentence in lower case by the word it is near to."""
    if set(map(nearest, words := set(_WORD.findall(sentence)))) == words:
        return sentence
    return _WORD.sub(lambda match: nearest(match[0]), sentence)


@lru_cache(maxsize=1 << 16)
def nearest(word: str) -> str:
    """Return the word of WORDS that is near to this one, or the word itself where none is or it is real."""
    if not 4 <= len(word) <= LONGEST or word in _SHORT_WORDS:
        return _SHORT_WORDS.get(word, word)
    if word in _KNOWN or len(word) > _LONGEST:
        return word
    for shortened in _shorten(word):
        if shortened in _NEAR:
            return _NEAR[shortened]
    return word


def _shorten(word: str) -> Iterator[str]:
    """Yield the word, and it without one letter, and without two where it is long."""
    yield word
    for drops in (1, 2) if len(word) >= 10 else (1,):
        for kept in combinations(word, len(word) - drops):
            yield "".join(kept)


def _index(words: Iterable[str]) -> dict[str, str]:
    near: dict[str, str] = {}
    for word in words:
        for shortened in _shorten(word):
            near.setdefault(shortened, word)
    return near


_NEAR = _index(WORDS)
_LONGEST = (
    max(map(len, WORDS)) + 2
)  # no longer word is near to one; there are a great many ways to shorten it
_KNOWN = REAL_WORDS.union(WORDS)
