# SPDX-License-Identifier: Apache-2.0
"""Tells labels in other languages than Chinese and English from other texts, and from denials.

`states` knows the whole line, so that a sentence that says more is none. Words are folded: no case, no accents, no
spaces or signs.
"""

from __future__ import annotations

import functools
import re
import unicodedata

LEADS = {"en": ("Not ", "not ", "Never ", "No "), "de": ("Nicht ", "nicht ", "Keine "), "fr": ("Non ", "non "),
         "es": ("No ", "no "), "it": ("Non ", "non "), "pt": ("Não ", "não "), "pl": ("Nie ", "nie "),
         "el": ("Δεν ", "δεν ", "Δε "), "bg": ("Не е ", "Не ", "не е "), "ru": ("Не ", "не "),
         "ar": ("ما ",), "he": ("לא ",), "th": ("ไม่ได้", "ไม่"), "ko": ("비", "비 "), "ja": ("非",)}
TAILS = {"hi": (" नहीं", " नहीं है"),
         "ja": ("ではありません", "されていません", "されていない", "ではない", "していません"), "ko": ("이 아님",)}
"""What turns a label into its opposite before and behind the usual words of a language, as pictures may hold it.
Words that change the label's own letters make it another text anyway."""

# By language, without spaces: the thing, by AI, done
_NOUNS = {
    "de": "(?:diese[rs]?|der|das|die)?(?:bild(?:er)?|foto|video|film|inhalte?|text|audio|aufnahme|artikel|beitrag)",
    "fr": "(?:cette?|ces|le|la|l)?(?:image|photo|vidéo|contenu|texte|audio|article|enregistrement)s?",
    "es": "(?:este|esta|el|la)?(?:imagen|foto|video|contenido|texto|audio|articulo)(?:es)?s?",
    "it": "(?:quest[oa]|il|la|l)?(?:immagine|foto|video|contenuto|testo|audio|articolo)",
    "pt": "(?:est[ea]|o|a)?(?:imagem|foto|video|conteudo|texto|audio|artigo)",
    "pl": "(?:ten|ta|to)?(?:obraz|zdjecie|film|wideo|tresc|tekst|nagranie|artykuł|tresci)",
    "ru": "(?:это|этот|эта|данное|данный)?(?:изображение|фото|видео|текст|контент|статья|аудиозапись|материал)",
    "bg": "(?:това|този|тази)?(?:изображение|снимка|видео|текст|съдържание|статия|материал)(?:то|та|ът)?",
    "ko": "(?:이|본|해당)?(?:이미지|사진|영상|동영상|콘텐츠|컨텐츠|글|문서|텍스트|음성|오디오|내용)(?:는|은|가|이)?",
    "ja": "(?:この|本)?(?:画像|写真|動画|映像|文章|記事|コンテンツ|音声|作品|内容)(?:は|が)?",
}
_AI = {"de": "(?:ki|kunstlicher?intelligenz)", "fr": "(?:l)?(?:une)?(?:ia|intelligenceartificielle)",
       "es": "(?:la|una)?(?:ia|inteligenciaartificial)", "it": "(?:l)?(?:una)?(?:ia|intelligenzaartificiale|ai)",
       "pt": "(?:a|uma)?(?:ia|inteligenciaartificial)", "pl": "(?:ai|si|sztuczn[ae]j?inteligencj[aei])",
       "el": "(?:την?)?(?:τν|ai|τεχνητηνοημοσυνη[νς]?|τεχνητηςνοημοσυνης)",
       "ru": "(?:ии|нейросет(?:ью|и)|искусственныминтеллектом)", "bg": "(?:ии|изкуственинтелект)",
       "ko": "(?:ai|인공지능|생성형ai)", "ja": "(?:ai|人工知能|生成ai)"}
_DONE = {"de": "(?:generiert|erzeugt|erstellt|geschrieben|verfasst|gemacht)(?:e[rsnm]?)?",
         "fr": "(?:genere|cree|produit|redige|ecrit|realise)e?s?", "es": "(?:generad|cread|hech|producid|escrit)[oa]s?",
         "it": "(?:generat|creat|prodott|scritt|fatt)[oaie]", "pt": "(?:gerad|criad|feit|produzid|escrit)[oa]s?",
         "pl": "(?:wygenerowan|stworzon|utworzon|napisan|wykonan)[oaey]e?",
         "el": "(?:δημιουργηθηκ(?:ε|αν)|παραχθηκ(?:ε|αν)|δημιουργημεν[οαη]|παραγομεν[οαη])",
         "ru": "(?:с?генерировано?|создан[оаы]?|сгенерирован[оаы]?|написано?)",
         "bg": "(?:генериран[оаи]?|създаден[оаи]?|написан[оаи]?)",
         "ko": "(?:생성|제작|작성|합성)(?:됨|되었습니다|되었음|된|했습니다|물|콘텐츠)?",
         "ja": "(?:生成|作成|制作|合成)(?:され(?:た|ました|ています)|[さし]れ?たもの(?:です)?|しました|物)?"}
_BY = {"de": "(?:mit(?:hilfe(?:von)?)?|von|durch|mittels)(?:einer)?", "fr": "(?:par|avec|alaidede|grace)(?:a|de)?",
       "es": "(?:por|con|mediante|usando)", "it": "(?:da|con|dal|tramite|usando)", "pt": "(?:por|com|pela|usando)",
       "pl": "(?:przez|za?pomoca|przyuzyciu|z)", "el": "(?:με|απο|μεσω)", "ru": "(?:спомощью|при?помощи)?",
       "bg": "(?:от|с|чрез|спомощта?на)", "ko": "(?:로|으로|가|이|에의해|를사용하여|를이용해)?",
       "ja": "(?:で|によって|により|が|を使って|を用いて)?"}
_IS = {"de": "(?:wurden?|ist|sind)?", "fr": "(?:aeteent|aete|est|sont|ontete)?", "es": "(?:hasido|fue|es|estan?)?",
       "it": "(?:estat[oa]|e)?", "pt": "(?:foi|e)?", "pl": "(?:został[oay]?|jest)?",
       "ru": "(?:был[оаи]?)?", "bg": "(?:е|беше)?"}
_BEFORE, _BEHIND = {"de"}, {"ko", "ja"}  # AI comes before what is done, and what says by before it or behind it
_WHOLE = (
    "(?:هذ[اه])?(?:ال)?(?:صورة|محتوى|فيديو|نص|مقطع)?(?:تم|تمت)?(?:إنشاء|إنشاؤها?|أنشئت?|مولدة?|توليده?ا?|منشأة?)"
    "(?:بواسطة|باستخدام|عبر)?(?:ب)?(?:ال)?ذكاء(?:ال)?اصطناعي",
    "(?:(?:תמונה|סרטון|תוכן|טקסט)(?:זו|זה)?)?(?:נוצרה?|הופקה?|יוצר)(?:באמצעות|עלידי|בעזרת|ב)(?:ai|בינהמלאכותית)",
    "(?:यह)?(?:चित्र|तस्वीर|वीडियो|सामग्री)?(?:ai|एआई|कृत्रिमबुद्धिमत्ता)(?:द्वारा|से)?(?:निर्मित|जनरेटेड|जनित|बनाया|बनाई)"
    "(?:गया|गई)?(?:है)?",
    "(?:ภาพ|วิดีโอ|เนื้อหา|ข้อความ)?(?:นี้)?(?:ถูก)?(?:สร้าง|จัดทำ)(?:ขึ้น)?(?:โดย|ด้วย|จาก)(?:ai|ปัญญาประดิษฐ์)",
)


def _without_marks(text: str) -> str:
    """A text in small letters without accents and vowel signs; Korean syllables and kana stay whole."""
    text = unicodedata.normalize("NFKD", text.casefold().replace("ى", "ي").replace("ة", "ه"))
    return unicodedata.normalize("NFC", "".join(one for one in text if one in "\u3099\u309a"
                                                or unicodedata.category(one) not in ("Mn", "Mc")))


def folded(text: str) -> str:
    """A text without case, accents, vowel signs, spaces and punctuation, but for ?, which states nothing."""
    return "".join(one for one in _without_marks(text) if one.isalnum() or one == "?")


@functools.cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    texts = [*_WHOLE]
    for language, done in _DONE.items():
        ai, by, verb = _AI[language], f"(?:{_BY[language]})", _IS.get(language, "")
        noun = f"(?:{_NOUNS[language]})?" if language in _NOUNS else ""
        texts.append(f"{noun}{verb}{by}?{ai}{done}{verb}{noun}" if language in _BEFORE else
                     f"{noun}{ai}{by}?{done}{noun}" if language in _BEHIND else f"{noun}{verb}{done}{by}{ai}")
    return tuple(re.compile(_without_marks(text)) for text in texts)


def states(text: str) -> bool:
    """Whether a line is a label in one of these languages and says nothing else."""
    bare = folded(text)
    return 4 <= len(bare) <= 80 and any(pattern.fullmatch(bare) for pattern in _patterns())


_NAMES_AI = re.compile(
    r"\b(?:KI|IA|SI|AI|A\.I\.|ИИ|ΤΝ)(?![A-Za-zА-я])|(?<![A-Za-z])AI(?![A-Za-z])|artificial|artificiel|künstlich|"
    r"sztuczn|нейросет|искусственн|изкуствен|τεχνητ|인공지능|人工知能|人工智能|(?:ال|بال)ذكاء|בינה מלאכותית|एआई|कृत्रिम|"
    r"ปัญญาประดิษฐ์")


def names_ai(text: str) -> bool:
    """Whether a text names AI in one of these languages."""
    return bool(_NAMES_AI.search(text))


_DENIES = re.compile(
    r"\b(?:nicht|kein\w*|ohne|niemals) (?:\w+ ){0,3}?(?:KI\b|künstlich)|"
    r"\b(?:pas|non|sans|jamais) (?:\w+ ){0,3}?(?:l['’])?(?:IA|intelligence)\b|"
    r"\b(?:no|sin|nunca|non|senza|não|sem|nie|bez) (?:\w+ ){0,3}?(?:IA|AI|inteligencia|intelligenza|inteligência)\b|"
    r"\b(?:не|без|δεν|χωρίς) (?:\w+ ){0,3}?(?:ИИ|ΤΝ)\b|\bלא (?:\w+ ){0,3}?AI|"
    r"(?:AI|인공지능).{0,6}(?:생성|제작).{0,3}(?:않|아님|아닙)|(?:AI|人工知能).{0,6}(?:生成|作成).{0,8}(?:ない|ません)|"
    r"AI.{0,20}नहीं|ไม่(?:ได้|ใช่)?.{0,12}AI|(?:لم|ليس|ما|بدون) .{0,16}(?:الذكاء|بالذكاء)", re.IGNORECASE)


def denies(text: str) -> bool:
    """Whether a text says, in one of these languages, that the content is not generated."""
    return bool(_DENIES.search(text))
