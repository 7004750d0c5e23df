# SPDX-License-Identifier: Apache-2.0
"""The explicit label in sound (GB 45438-2025, 5.3): a rhythm in Morse code, or speech.

`drawing` puts it in, at the level that `loudness` measures; `finding` confirms and finds it, with the rhythm search of
`morse` and the comparison with `recordings` of `speech_matching`, both on one `spectrogram`.
"""

from labelkit.explicit.audio.drawing import draw
from labelkit.explicit.audio.finding import confirm, find

__all__ = ["confirm", "draw", "find"]
