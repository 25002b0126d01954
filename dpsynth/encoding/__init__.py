"""Raw values to integer codes and back, by declared rules."""

from dpsynth.encoding.coarsening import Coarsening
from dpsynth.encoding.codec import Codec, EncodedColumn, base_domain, codec, codecs

__all__ = ["Coarsening", "Codec", "EncodedColumn", "base_domain", "codec", "codecs"]
