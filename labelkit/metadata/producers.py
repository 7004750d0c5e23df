# SPDX-License-Identifier: Apache-2.0
"""Names of known providers: codes and names found in the files that the services produce."""

from __future__ import annotations

_BY_CREDIT_CODE = {  # Unified Social Credit Code: positions 5-22 of a provider code
    "91110102MACQD9K640": "ByteDance (Doubao)",
    "9144030008867405X2": "ByteDance (Jimeng)",
    "91110108335469089C": "Kuaishou (Kling)",
    "91440300708461136T": "Tencent",
    "91310104MACE0YX639": "StepFun",
    "91440300MA5G49LC9K": "Honor",
    "91340000711771143J": "iFlytek",
    "91110108MA01KP2T5U": "Zhipu",
    "91440101MA9Y9T4H7A": "Alibaba (Qwen)",
    "91330106MA2CFLDG4R": "Alibaba (Tongyi, Wan)",
    "91110000802100433B": "Baidu",
    "91110108MACC4D63XF": "ShengShu (Vidu)",
    "91110105MACJ6K1C8A": "LiblibAI",
    "91340100MAEB4N8H76": "RunningHub",
}
_BY_NAME = {"kling": "Kuaishou (Kling)", "minimax": "MiniMax", "doubao": "ByteDance (Doubao)", "picwish": "PicWish",
            "runninghub": "RunningHub"}


def name_of(party: str) -> str | None:
    """The company behind a ContentProducer or ContentPropagator value, or None if it is not known."""
    if len(party) == 27:
        return _BY_CREDIT_CODE.get(party[4:22])
    return _BY_CREDIT_CODE.get(party) or _BY_NAME.get(party.lower())
