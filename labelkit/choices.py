# SPDX-License-Identifier: Apache-2.0
"""What may be chosen in a plan, by name: apart from it, so that `--help` names them without loading what uses them."""

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
SOUNDS = ("rhythm", "speech", "both")
PLACES = ("start", "end", "both", "middle")
EDGES = ("top", "bottom", "left", "right")
ROBUSTNESS = ("everyday", "hard")  # what a watermark in pictures and sound is to survive
EFFORTS = ("fast", "normal", "deep")  # how far a detector searches
FILM_CODECS = ("h264", "hevc", "av1", "h264_nvenc", "hevc_nvenc", "av1_nvenc", "h264_qsv", "hevc_qsv", "av1_qsv")
"""Of films: codecs, and the encoders of graphics processors (NVENC, Quick Sync), which have not been run here."""
EU_WORDS = {"eu-ai": "AI", "eu-generated": "AI GENERATED", "eu-modified": "AI MODIFIED"}
"""The words of the EU icons (Code of Practice, Section 2, M1.1 and Annex 1). No file of their artwork could be had, so
the words are drawn, which the Code calls an equivalent label."""
