# SPDX-License-Identifier: Apache-2.0
"""Is a text that stands in a picture an explicit label, or does it only speak of AI?

The standard fixes no wording: any text with an AI element and a generation element is one (GB 45438-2025 5.2). So is
"how AI生成 changes painting", if taken at its word. A label says of the content that it is generated and says nothing
else; what says more is a mention, which a person must judge.
"""

from __future__ import annotations

import enum
import re
import unicodedata

MAX_CHARACTERS = 40  # a longer line is running text, no label

_AI = "(?:人工智能|a[il1丨])"  # text recognition takes a capital I for these
_THING = ("(?:内容|图片|图像|图|照片|画面|画作|插画|视频|影片|短片|动画|作品|节目|页面|文本|文字|音频|素材|封面|海报|"
          "形象|人物|场景|部分)")
_MAKER = ("豆包|即梦|剪映|醒图|抖音|火山|可灵|快手|快影|通义千问|通义万相|通义|千问|万相|夸克|淘宝|阿里云?|腾讯混元|"
          "腾讯元宝|腾讯|混元|元宝|微信|海螺|文心一言|文心一格|文心|百度|讯飞星火|讯飞|星火|智谱清言|智谱|清影|清言|阶跃|"
          "跃问|天工|美图|哩布哩布|华为|小艺|荣耀|小米|小爱|天猫|京东|网易|微博|小红书|商汤|秒画|无界")
_NOT = "(?!no|not|non|anti|stop|never|without|free)"
_CHINESE = re.compile(
    f"(?:(?:本|该|此|以下|以上)?{_THING}*)(?:均|皆|全部|部分)?(?:系|是|为|属于)?(?:经|由|用|使用|采用|利用|通过)?"
    f"(?:(?:{_MAKER})|{_NOT}[a-z0-9]{{2,20}}?)?{_AI}(?:ai)?(?:技术|工具|大?模型|软件|算法|助手|辅助|自动|智能|全部|部分){{0,3}}"
    f"(?:(?:创作|制作)?(?:生成|合成)(?:或|和|与|及)?){{1,2}}(?:的?(?:{_THING})|而成|所得|制作|创作)?"
    "(?:(?:仅供|请|注意|谨慎|仔细|不代表|非真实).{0,14})?")
_THE = "(?:(?:this|the|some)?(?:content|images?|pictures?|photos?|videos?|audio|media|artwork|film|visuals?))"
_MADE = "(?:generated|created|made|produced|synthesi[sz]ed|modified)"
_MACHINE = "(?:a[il1]|artificialinte[l1i]{2}igence)"
_ENGLISH = re.compile(
    f"{_THE}?(?:was|were|is|are|hasbeen|contains)?(?:fully|partly|partially|entirely)?"
    f"(?:{_MACHINE}{_MADE}{_THE}?|{_MADE}{_THE}?(?:by|with|using|through)(?:an|generative)?{_MACHINE}(?:models?|tools?)?)"
    "(?:(?:by|with|using)[a-z0-9]{2,20})?")
_MENTIONS_AI = re.compile(r"人工智能|(?<![a-z])a[il1丨](?![a-z])|artificial intelligence", re.IGNORECASE)
_MENTIONS_MAKING = re.compile(r"生成|合成|generat|synthes|created|made (?:by|with)", re.IGNORECASE)


class Wording(enum.Enum):
    """What a text is: a label as the standard words it, a label in English, or words about AI that may be none."""

    LABEL = "label"
    ENGLISH = "english"
    MENTION = "mention"


def wording(text: str) -> Wording | None:
    """What `text`, as it was read from a picture, is; None where it does not speak of generation by AI."""
    if len(text) > MAX_CHARACTERS:
        return None
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    bare = "".join(c for c in text.casefold() if c.isalnum() or c == "?")  # who asks states nothing
    if _CHINESE.fullmatch(bare):
        return Wording.LABEL
    if _ENGLISH.fullmatch(bare):
        return Wording.ENGLISH
    return Wording.MENTION if _MENTIONS_AI.search(text) and _MENTIONS_MAKING.search(text) else None
