# SPDX-License-Identifier: Apache-2.0
"""Tells a label in a text from a text that only speaks of AI.

GB 45438-2025 5.1 fixes no wording. A label here is a line that says nothing but that the content is generated, in
brackets or alone, or a sentence about the text itself (本文由AI生成; this article was written by AI) at the start of a
paragraph. A heading, a list item, a quotation, a question and a negation are none.
"""

from __future__ import annotations

import enum
import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from labelkit.explicit import translations
from labelkit.explicit.rules import AI_ELEMENTS, GENERATION_ELEMENTS
from labelkit.explicit.translations import names_ai
from labelkit.explicit.wording import Wording, is_negated, wording

MAX_SENTENCE = 240  # characters; longer sentences are running text
_LONG = 2000  # characters of a block of which only both ends are read
MAX_LABEL = 40  # characters of a line in brackets that is a label by its elements
_SHORT = 60  # characters of a line that can be a label as a whole


class Kind(enum.Enum):
    """What a label says: both elements of the standard, the corner mark alone, the same in English, or in other words
    than the standard's 生成 and 合成, or in another language."""

    WORDS = "label"
    MARK = "mark"
    ENGLISH = "english"
    OTHER = "other"


_KINDS = {Wording.LABEL: Kind.WORDS, Wording.ENGLISH: Kind.ENGLISH, Wording.OTHER: Kind.OTHER}


@dataclass(frozen=True, slots=True)
class Notice:
    """A label in a text.

    bare   it names nothing that it is about (AI生成), so that it is a label only where labels stand
    whole  the line or paragraph holds nothing else
    """

    text: str
    kind: Kind
    bare: bool
    whole: bool


# Chinese: (本文)(由)(某某的)AI(工具)(辅助)生成. About what, by what, what was done, what may follow
_AI = r"(?:人工智[能慧](?:\(ai\))?|ai(?:gc)?(?:\(人工智能\))?|a\.i\.)"
_WHAT = ("文章|内容|文档|文本|文字|全文|正文|回答|回复|答复|答案|报告|稿件|稿|邮件|信件|信息|摘要|总结|翻译|译文|字幕|"
         "故事|小说|诗歌|诗|新闻|资讯|文案|页面|网页|页|帖子|评论|方案|代码|简介|对话|消息|结果|作品|"
         "思维导图|导图|脑图|节目|书|章节|章|"
         "演示文稿|幻灯片|表格|数据|课件|剧本|条目|公告|通知|纪要|说明|工作簿|工作表|图表|表|简报|贴文|影片|笔记|日记|博文|推文|短文|视频|文|"
         "部分|段|篇|项|条|均")
_SELF = (f"(?:(?:本|此|该|以上|以下|上述|下述|下列|上文|下文|全文|这(?:篇|份|段|条|封|则|个))"
         f"(?:{_WHAT})*的?(?:{_WHAT})*|(?:{_WHAT})+)")
_TOOL = "(?:技术|工具|大语言模型|大?模型|软件|算法|助手|平台|服务|系统|机器人|写作助手)"
_DONE = ("(?:(?:智能|自动|辅助|协助|参与|全部|部分|共同|独立|直接|初步){0,3}(?:创作|制作|撰写|编写|写作|整理|"
         "翻译|完成|生成|合成|创建|改写|润色|总结)(?:或|和|与|及|并|、)?)")
_HOW = ("(?:可能|疑似|或|部分|全部|主要|完全|大部分|均|皆|都)*(?:系|是|为|属于|含有?|包含)?"
        "(?:(?:经|由|用|使用|采用|利用|通过|借助|在)+(?:[\\u4e00-\\u9fffa-z0-9.+-]{2,12}?的?)??)?")
_WITH = (f"(?:{_TOOL}|\\([^()]{{1,24}}\\)|[\\[“\"「『][^\\]”\"」』]{{1,24}}[\\]”\"」』]|的?帮助下|的?辅助下)*")
_GOES_ON = ("$|[,，;；(（、。.!！—-]|[:：](?![\\d.]+[%％]?)|仅供|请|注意|并经|后经|经人工|未经|不代表|不构成|可能|"
            "如有|且|但|并")
_STATES = (f"(?P<self>(?>{_SELF}))?{_HOW}{_AI}{_WITH}{_DONE}{{1,3}}"
           f"(?:的?(?:{_WHAT})+|而成|所得|完成|得到|的|合成内容)?(?:{_GOES_ON})")
_LEAD = re.compile(
    r"(?:(?:重要|特别|温馨|风险|内容|文章|作者|编辑|创作|ai|aigc|免责|郑重)?"
    r"(?:声明|提示|提醒|注意|备注|说明|注|标识|标注|来源|作者|披露|公告)|"
    r"(?:ai |content |important |editor'?s? |author'?s? )?(?:note|notice|disclaimer|disclosure|source|attribution|"
    r"label|transparency(?: notice)?|warning|ps|p\.s\.)|"
    r"hinweis|anmerkung|transparenzhinweis|haftungsausschluss|remarque|avis|avertissement|mention|aviso|nota|avviso|"
    r"avvertenza|uwaga|adnotacja|σημείωση|примечание|внимание|забележка|참고|주의|안내|알림|ملاحظة|تنبيه|הערה|नोट|सूचना|"
    r"หมายเหตุ)\s*[:：】\])]\s*|p\.?s\.?\s+|注[:：]?\s+", re.IGNORECASE)

# English: (this article) was (partly) written with (the help of) AI (tools), or is AI-generated
_E_WHAT = ("(?:article|texts?|contents?|post|page|story|stories|summary|summaries|message|response|answer|reply|"
           "e-?mail|letter|report|document|translation|newsletter|essay|transcript|book|chapter|site|website|blog|"
           "description|review|abstract|draft|work|material|file|subtitles?|captions?|notes?|presentation|slides?|"
           "deck|spreadsheet|"
           "table|recipe|poem|script|code|section|paragraph|release|announcement|minutes|brief|overview|output|"
           "guide|listing|copy|record|dataset|data|workbook|worksheet|sheet|ebook|paper|column|digest|memo|"
           "proposal|lesson|course|quiz|podcast|episode|speech|song|lyrics|bio|profile|faq)")
_E_DONE = ("(?:generated|created|written|produced|made|authored|drafted|composed|translated|synthesi[sz]ed|"
           "summari[sz]ed|compiled|prepared|assisted|modified|edited)")
_E_TOOL = ("(?:models?|tools?|technology|technologies|systems?|assistants?|assistance|chatbots?|software|writers?|"
           "services?|language models?)")
_E_AI = ("(?:(?:an?|the|our|generative|automated|advanced)[ -])*(?:ai|a\\.i\\.|artificial intelligence|large language "
         f"models?)(?: \\((?:ai|llm|[^()]{{1,24}})\\))?(?: {_E_TOOL})?(?: \\([^()]{{1,40}}\\))?")
_E_HERE = "(?: (?:above|below|here|on this (?:page|site|website)|of this [a-z]+))"
_E_SELF = (f"(?:(?:all|some|parts?|portions?|sections?|most|much)(?: of)? )?(?:(?:this|these|the following|the above|"
           f"the preceding)(?: (?:whole|entire|full|short|blog|news|product|job|weekly|daily|monthly|automated|online|"
           f"web|press|video|audio|meeting|executive)){{0,2}} {_E_WHAT}{_E_HERE}?|the {_E_WHAT}{_E_HERE})")
_E_HOW = ("(?:(?:may|might|could)(?: have)? |(?:was|were|is|are|has|have|been|be|contains?|includes?|fully|partly|"
          "partially|entirely|largely|mostly|mainly|automatically|initially|originally|in part|in whole or in part) )*")
_E_BY = ("(?:(?:[a-z]+ ){0,3}?(?:by|with|using|through|via) (?:the )?"
         "(?:(?:help|assistance|aid|use|support) (?:of|from) )?)")
_E_GOES_ON = ("$|[.,;!)—–-]|:(?! ?[\\d.,]+ ?%?(?: |$))| (?:and|but|then|based on|on behalf|for [a-z]+ purposes|"
"under|as|to (?:help|assist)|using|"
              "with|by|from|at|on)\\b")
_E_STATES = (
    f"(?:(?P<self>{_E_SELF}) |{_E_WHAT} )?{_E_HOW}(?:{_E_DONE}(?: (?:and|or) {_E_DONE})? {_E_BY}{_E_AI}|"
    f"(?:ai|artificial intelligence)[ -]{_E_DONE}(?: (?:{_E_WHAT}|images?|media))*)(?:{_E_GOES_ON})")
_compiled = functools.cache(re.compile)  # when a text is first read: the two above take 8 ms
_SIMPLIFIED = str.maketrans(
    "沒無並絕為貼產與內經圖寫創輔編譯參實動協處輯頁"
    "這則條說來聲號該繪製檔訊賴據運樣術電腦檢閱錄題幫",
    "没无并绝为贴产与内经图写创辅编译参实动协处辑页"
    "这则条说来声号该绘制档讯赖据运样术电脑检阅录题帮")
_QUOTES = "“”\"‘’'„«»`『』"
_BRACKETED = r"[\[【(（〔「〖<《［]\s*(?P<inner>[^\[\]【】()（）〔〕「」〖〗<>《》［］]{2,48}?)\s*[\]】)）〕」〗>》］]"
_FIRST, _LAST = re.compile(f"^{_BRACKETED}"), re.compile(f"{_BRACKETED}$")
_SENTENCES = re.compile(r"(?<=[。！？!?；;।\n])\s*|(?<=[.])\s+(?=[A-ZÀ-ÞΑ-ΩА-Я\u0590-\u06ff\u0900-\u0e7f\u3040-\u30ff"
                        r"\u4e00-\u9fff\uac00-\ud7a3(\[])")
_DENIED = re.compile(r"(?:说法|传言|指控|结论|标签|判断|是|为|系|属)(?:都|均|完全)?(?:是|为|系|属)?(?:错误|谣言|不实|"
                     r"误解|假|误判)|不成立|\b(?:is|was|are|were|be) (?:false|wrong|untrue|incorrect|a (?:myth|lie|"
                     r"rumou?r|mistake))|"
                     # what is only likely, what another says, and what has to be labelled
                     r"(?:生成|合成|创作|撰写)的(?:可能性|概率|嫌疑|说法|传言|争议)|"
                     r"^[^,，]*[,，]\s*(?:[^\s,，]+\s){0,4}?(?:claim(?:s|ed)|alleg(?:es|ed)|sa(?:ys|id)|argue[sd]|"
                     "insist(?:s|ed)|"
                     r"believe[sd]?|think[s]?|suspect(?:s|ed)?|glaub(?:t|en|ten?)|vermeld\w+|soupçonn\w+|croi(?:t|ent)|"
                     r"pense(?:nt)?|cree[n]?|sospecha\w*|sospett\w+|"
                     r"behaupte(?:t|n|ten?)|sag(?:t|en|ten?)|mein(?:t|en|ten?)|vermute(?:t|n|ten?)|"
                     r"(?:a )?affirm(?:e|é|ent|ait|aient)|prétend(?:ent|ait)?|soutien(?:t|nent)|dit|"
                     r"afirm(?:an?|ó|aron|ou)|asegur(?:an?|ó|aron)|dice|dijo|sostiene|alega|disse|afferma|twierdzi|"
                     r"утвержда\w+|заяви\w*|сказал\w*|пишет|решил\w*|твърди)\b|"
                     r"^[^,，]*[,，]\s*[\u4e00-\u9fff]{0,6}?(?:声称|宣称|指称|辩称|诉称)|"
                     r"^[^,，–—]*(?:[,，]|\s[–—-])\s*(?:according to|so (?:der|die|das|ein|eine|seine?|ihre?|sagt|"
                     r"erkenn\w+|entlarv\w+|lautet)|laut (?!unser)|ou? (?:eso|isso|du moins)|or so|hei(?:ß|ss)t es|"
                     r"hie(?:ß|ss) es|selon|d['’]après|según|secondo|segundo|conforme|według|zdaniem|por lo visto|"
                     r"apparemment|angeblich|allegedly|supposedly|reportedly|по (?:словам|данным|мнению|версии)|"
                     r"якобы|според|(?:[^\s,，]+\s){0,4}?zufolge)\b|"
                     r"^[^:：]*[:：]\s*(?:how|why|so|wie|warum|comment|pourquoi|cómo|por qué|come|perché|como|"
                     r"jak|как)\b|"
                     r"的[,，](?:平台|发布者|提供者)?(?:应当?|应该|须|必须|需要?)[\u4e00-\u9fff]{0,8}(?:标识|标注|标明)",
                     re.IGNORECASE)
_NAMES_AI = re.compile(r"人\s*工\s*智\s*[能慧]|a\W{0,2}i|artificial|language model", re.IGNORECASE)
_MARK = re.compile(r"ai(?:gc)?", re.IGNORECASE)
_EDGE = re.compile(r"^[^\w\[【(（〔「〖《<“”\"‘’'`『«?？]+|[^\w\]】)）〕」〗》>“”\"‘’'`』»?？]+$")


def notices(text: str) -> Iterator[Notice]:
    """The labels in a block of text, the likeliest first; of a long block in the words at both ends."""
    text = text if len(text) <= _LONG else text[:_LONG // 2] + "\n" + text[-_LONG // 2:]
    text = unicodedata.normalize("NFKC", text)
    if not _NAMES_AI.search(text) and not names_ai(text):  # nine paragraphs in ten
        return
    lines = [line for line in text.split("\n") if any(map(str.isalnum, line))]  # and no frames
    whole = _joined(lines)
    if (len(whole) <= _SHORT or translations.states(whole)) and (found := _whole(whole)):
        yield found
        return
    for line in dict.fromkeys((lines[0], lines[-1])) if len(lines) > 1 else ():
        if len(line) <= _SHORT and (found := _whole(line)):
            yield found
    yield from _at_ends(whole)
    for sentence in _SENTENCES.split(whole):
        if found := _sentence(sentence):
            yield found


def simplified(text: str) -> str:
    """A text with the characters of Taiwan and Hong Kong that stand in labels as they are written in mainland China."""
    return text.translate(_SIMPLIFIED).replace("产生", "生成") if not text.isascii() else text


def speaks_of_ai(text: str) -> bool:
    """Whether a short text may be a label in words that are not known, so that a person must judge."""
    text = unicodedata.normalize("NFKC", text)
    return len(text) <= _SHORT and not _is_negated(text) and wording(text[:40]) is Wording.MENTION


def _joined(lines: list[str]) -> str:
    """Lines as one, with a space between words and none between Chinese characters."""
    whole = ""
    for line in map(str.strip, lines):
        ascii_ends = bool(whole) and whole[-1].isascii() and line[:1].isascii()
        whole += (" " if ascii_ends else "") + line
    return whole


def _bare(text: str) -> str:
    """A text without the signs around it: rules, stars, emoji, and one pair of brackets."""
    text = _EDGE.sub("", text.strip()).strip()
    match = re.fullmatch(_BRACKETED, text)
    return _EDGE.sub("", match["inner"]).strip() if match else text


def _whole(line: str) -> Notice | None:
    """The label that a line is as a whole."""
    line = _EDGE.sub("", line.strip()).strip()
    lead = _LEAD.match(line)
    inner = _bare(line[lead.end():] if lead else line)
    if not (_NAMES_AI.search(inner) or names_ai(inner)):  # what is read from pictures takes "Al" for it
        return None
    if not inner or inner[0] in _QUOTES or inner[-1] in _QUOTES + "?？" or _is_negated(line):
        return None
    bracketed = inner != line and not lead
    if bracketed and _MARK.fullmatch(inner):
        return Notice(line, Kind.MARK, bare=False, whole=True)
    if bracketed and len(inner) <= MAX_LABEL and _has_elements(inner):
        return Notice(line, Kind.WORDS, bare=False, whole=True)
    kind = _kind(inner)
    stated = _statement(inner)
    if kind is None and stated is None:
        return None
    plain = stated is None or stated.bare
    by_whom = bool(re.match(r"[由经用]|.{0,8}由|(?:was |is )?[a-z]+ (?:by|with|using)", inner, re.IGNORECASE))
    return Notice(line, (stated.kind if stated else None) or kind or Kind.OTHER,
                  bare=plain and not (bracketed or lead or by_whom), whole=True)


def _at_ends(text: str) -> Iterator[Notice]:
    """A label in brackets before the first word or behind the last."""
    for pattern in (_FIRST, _LAST):
        match = pattern.search(text)
        if not match or _is_negated(match[0]):
            continue
        inner = _bare(match["inner"])
        stated = _statement(inner)
        if stated:
            yield Notice(match[0], stated.kind, bare=False, whole=False)
        elif kind := _kind(inner):
            yield Notice(match[0], kind, bare=False, whole=False)


def _sentence(sentence: str) -> Notice | None:
    """The label that a sentence begins with, where it is about the text itself."""
    shown = _EDGE.sub("", sentence.strip()).lstrip("[【(（〔〖《<［").strip()
    lead = _LEAD.match(shown)
    found = _statement(shown[lead.end():] if lead else shown)
    if not found or found.bare and not lead:
        return None
    return Notice(shown, found.kind, bare=False, whole=False)


def _statement(sentence: str) -> Notice | None:
    """The statement of generation that a sentence begins with."""
    if not sentence or len(sentence) > MAX_SENTENCE or sentence[0] in _QUOTES or sentence.rstrip()[-1:] in "?？":
        return None
    head = sentence[:MAX_SENTENCE]
    tight = "".join(head.casefold().split())
    found = _compiled(_STATES).match(simplified(tight))
    english = None if found else _compiled(_E_STATES).match(" ".join(head.casefold().split()))
    match = found or english
    stated = sentence if len(sentence) <= _SHORT else head
    if not match:
        other = translations.statement(sentence)
        return (Notice(stated, Kind.OTHER, bare=not other[1], whole=False)
                if other and not _DENIED.search(head) and not _is_negated(other[0]) else None)
    if _DENIED.search(simplified(head)) or _is_negated(match[0]):
        return None
    if english:
        return Notice(stated, Kind.ENGLISH, bare=not english["self"], whole=False)
    assert found is not None
    kind = Kind.WORDS if _has_elements(found[0]) else Kind.OTHER
    return Notice(stated, kind, bare=not found["self"], whole=False)


def _kind(text: str) -> Kind | None:
    """What a text is that is a label as a whole."""
    kind = _KINDS.get(wording(text) or Wording.MENTION)
    if kind is None and simplified(text) != text:
        kind = _KINDS.get(wording(simplified(text)) or Wording.MENTION)
    return kind


def _is_negated(text: str) -> bool:
    return is_negated(text) or is_negated(simplified(text))


def _has_elements(text: str) -> bool:
    """Whether a text holds an AI element and a generation element (GB 45438-2025 5.1)."""
    text = simplified(text)
    return (any(one.casefold() in text.casefold() for one in AI_ELEMENTS)
            and any(one in text for one in GENERATION_ELEMENTS))
