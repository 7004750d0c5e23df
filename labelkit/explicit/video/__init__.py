# SPDX-License-Identifier: Apache-2.0
"""The explicit label on films (GB 45438-2025, 5.4).

`drawing` draws it into the frames and `finding` finds it; `soundtrack` holds draw, confirm and find of the audible
label, which is that of `explicit.audio` laid over the sound track.
"""

from labelkit.explicit.video.drawing import draw
from labelkit.explicit.video.finding import find
from labelkit.explicit.video.soundtrack import confirm

__all__ = ["confirm", "draw", "find"]
