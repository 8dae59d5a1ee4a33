"""List the quantizers by their names in a configuration. A new one is a file here and a line below."""

from vqgan.quantizers.fsq import FSQ, FSQConfig
from vqgan.quantizers.simvq import SimVQ, SimVQConfig
from vqgan.quantizers.taming import TamingCodebookConfig, TamingQuantizer
from vqgan.quantizers.vq import VQ, VQConfig

# name: (a `quantizer.Quantizer`, the dataclass that it is built from, which has `codebook_size`). More may be
# added at run time.
QUANTIZERS: dict[str, tuple[type, type]] = {
    "fsq": (FSQ, FSQConfig),
    "vq": (VQ, VQConfig),
    "simvq": (SimVQ, SimVQConfig),
    "taming": (TamingQuantizer, TamingCodebookConfig),
}
