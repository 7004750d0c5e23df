# SPDX-License-Identifier: Apache-2.0
"""The explicit label on pictures (GB 45438-2025, 5.2).

`drawing` places and blends what `raster` makes of the text in a `font`. `finding` searches for it by
`template_matching` (with `matching`), and reads text in other fonts by `ocr`.
"""

from labelkit.explicit.image.drawing import draw, draw_frames
from labelkit.explicit.image.finding import find

__all__ = ["draw", "draw_frames", "find"]
