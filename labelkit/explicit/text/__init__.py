# SPDX-License-Identifier: Apache-2.0
"""The explicit label in texts (GB 45438-2025, 5.1): words, or the corner mark AI, at the start, in the middle or at
the end.

`drawing` puts it in. `finding` confirms and finds it; `notices` tells a label from a text that only speaks of AI.
"""

from labelkit.explicit.text.drawing import draw, words_of
from labelkit.explicit.text.finding import confirm, find

__all__ = ["confirm", "draw", "find", "words_of"]
