# SPDX-License-Identifier: Apache-2.0
"""Tells labels in other languages than Chinese and English from other texts, and from denials.

`states` knows the whole line, so that a sentence that says more is none. Words are folded: no case, no accents, no
spaces or signs.
"""

from __future__ import annotations

import functools
import itertools
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

# By language, without spaces: the thing, by AI, done. "This" says that the text speaks of itself, an article does not.
# A group that says it is written @( and gets its name when it is compiled.
_THIS = {"de": "diese[rsmn]?|d(?:er|ie|as)(?:vorliegende|folgende)|vorliegender|(?:nach)?folgende[rs]?",
         "fr": "cet(?:te)?|ces?|l[ea]present|l[ea]suivante?", "es": "est[aeo]s?|el(?:presente|siguiente)",
         "it": "quest[oaie]|il(?:presente|seguente)", "pt": "est[aeo]s?|ess[ae]|o(?:presente|seguinte)",
         "pl": "t[eoa]n?|niniejsz[ya]|ponizsz[yae]", "el": "αυτ[οεηό]ς?(?:το|η|ο)?|το(?:παρον|ακολουθο)",
         "ru": "эт[оаи]т?|данн(?:ый|ое|ая)|настоящ(?:ий|ая|ее)|следующ(?:ий|ая|ее)",
         "bg": "това|този|тази|тези|следния",
         "ko": "이|본|해당|다음", "ja": "この|本|当|以下の|上記の"}
_ARTICLES = {"de": "der|das|die", "fr": "l[ea]s?|l", "es": "el|l[oa]s?", "it": "il|l[oa]?", "pt": "o|a", "el": "το|η|ο"}
_TEXTS = {
    "de": "inhalte?|texte?|artikel|beitrag|bericht|zusammenfassung|ubersetzung|nachricht|e?mail|newsletter|antwort|"
          "seite|"
          "untertitel|buch|brief|blogbeitrag|post|eintrag|rezension|kapitel|beschreibung|meldung|dokument|"
          "prasentation|geschichte",
    "fr": "(?:contenu|texte|article|resume|traduction|message|courriel|reponse|page|chapitre|description|rapport|"
          "document|"
          "soustitre|livre|billet|publication|note|recit|lettre)s?",
    "es": "(?:contenido|texto|articulo|resumen|traduccion|mensaje|correo|respuesta|pagina|capitulo|descripcion|informe|"
          "subtitulo|libro|carta|entrada|publicacion|nota|documento|noticia|historia)(?:es)?s?",
    "it": "contenuto|testo|articolo|riassunto|traduzione|messaggio|risposta|pagina|capitolo|descrizione|rapporto|"
          "documento|sottotitoli|libro|lettera|post|nota|"
          "racconto|notizia",
    "pt": "conteudo|texto|artigo|resumo|traducao|mensagem|resposta|pagina|capitulo|descricao|relatorio|documento|"
          "historia|legendas|livro|carta|postagem|publicacao|nota|"
          "noticia",
    "pl": "tresci?|tekst|artykuł|streszczenie|tłumaczenie|wiadomosc|odpowiedz|strona|rozdział|opis|raport|dokument|"
          "podsumowanie|napisy|ksiazka|list|wpis|post",
    "el": "κειμενο|αρθρο|περιεχομενο|περιληψη|μεταφραση|μηνυμα|απαντηση",
    "ru": "текст|контент|статья|материал|резюме|перевод|сообщение|письмо|ответ|страница|глава|описание|отчет|документ|"
          "новость|рассказ|субтитры|книга|пост|запись",
    "bg": "(?:текст|съдържание|статия|материал|резюме|превод|съобщение|отговор|описание|доклад|документ)(?:то|та|ът)?",
    "ko": "(?:콘텐츠|컨텐츠|글|문서|자막|책|게시물|편지|텍스트|내용|기사|요약|번역|답변|메일|보고서|본문)(?:는|은|"
          "가|이)?",
    "ja": "(?:文章|記事|コンテンツ|作品|内容|文|要約|翻訳|訳文|回答|返信|メール|報告書|テキスト|ページ|字幕|本|投稿|"
          "手紙|ブログ|資料|レポート|キャプション)(?:は|が)?",
}
_PICTURES = {
    "de": "bild(?:er)?|foto|video|film|audio|aufnahme", "fr": "(?:image|photo|video|audio|enregistrement)s?",
    "es": "imagen(?:es)?|fotos?|videos?|audio", "it": "immagine|foto|video|audio", "pt": "imagem|foto|video|audio",
    "pl": "obraz|zdjecie|film|wideo|nagranie", "el": "εικονα|βιντεο", "ru": "изображение|фото|видео|аудиозапись",
    "bg": "(?:изображение|снимка|видео)(?:то|та)?", "ko": "(?:이미지|사진|영상|동영상|음성|오디오)(?:는|은|가|이)?",
    "ja": "(?:画像|写真|動画|映像|音声)(?:は|が)?",
}
_AI = {"de": "(?:ki|kunstlichen?r?intelligenz|generativerki)", "fr": "(?:l)?(?:une)?(?:ia|intelligenceartificielle)",
       "es": "(?:la|una)?(?:ia|inteligenciaartificial)", "it": "(?:l)?(?:una)?(?:ia|intelligenzaartificiale|ai)",
       "pt": "(?:a|uma)?(?:ia|inteligenciaartificial)", "pl": "(?:ai|si|sztuczn[ae]j?inteligencj[aei])",
       "el": "(?:την?)?(?:τν|ai|τεχνητηνοημοσυνη[νς]?|τεχνητηςνοημοσυνης)",
       "ru": "(?:ии|ai|нейросет(?:ью|и|ей)|искусственн(?:ым|ого)интеллекта?(?:ом)?)",
       "bg": "(?:ии|ai|изкуственинтелект)",
       "ko": "(?:ai|인공지능|생성형ai)", "ja": "(?:ai|人工知能|生成ai)"}
_DONE = {"de": "(?:generiert|erzeugt|erstellt|geschrieben|verfasst|gemacht|ubersetzt|"
         "zusammengefasst)(?:e[rsnm]?)?(?:worden)?",
         "fr": "(?:genere|cree|produit|redige|ecrit|realise|traduit|resume)e?s?",
         "es": "(?:generad|cread|hech|producid|escrit|redactad|elaborad|traducid|resumid)[oa]s?",
         "it": "(?:generat|creat|prodott|scritt|fatt|redatt|realizzat|tradott|riassunt)[oaie]",
         "pt": "(?:gerad|criad|feit|produzid|escrit|redigid|elaborad|traduzid|resumid)[oa]s?",
         "pl": "(?:wygenerowan|stworzon|utworzon|napisan|wykonan|opracowan|przetłumaczon)[oaey]e?",
         "el": "(?:δημιουργηθηκ(?:ε|αν)|παραχθηκ(?:ε|αν)|δημιουργημεν[οαη]|παραγομεν[οαη]|γραφτηκε|συνταχθηκε)",
         "ru": "(?:с?генерировано?|создан[оаы]?|сгенерирован[оаы]?|написан[оаы]?|подготовлен[оаы]?|переведен[оаы]?)",
         "bg": "(?:генериран[оаи]?|създаден[оаи]?|написан[оаи]?|изготвен[оаи]?|преведен[оаи]?)",
         "ko": "(?:생성|제작|작성|합성|번역|요약)(?:됨|되었습니다|되었음|되었으며|된|했습니다|하였습니다|한|"
               "한것입니다|된것입니다|물|"
               "콘텐츠)?",
         "ja": "(?:生成|作成|制作|合成|執筆|翻訳|要約)(?:され(?:た|ました|ています)|[さし]れ?たもの(?:です|である)?|"
               "し(?:ました|ています)|物)?"}
_BY = {"de": "(?:mit(?:(?:hilfe|unterstutzung)(?:von)?)?|von|durch|mittels|unterverwendungvon)(?:einer?)?",
       "fr": "(?:par|avec|(?:avec)?laided[eu]|grace)(?:a|de)?",
       "es": "(?:por|con(?:(?:la)?ayudade)?|mediante|usando)",
       "it": "(?:da|con(?:laiutodi|laiutodell)?|dall?|tramite|usando)",
       "pt": "(?:por|com(?:(?:a)?ajudade)?|pela|usando)", "pl": "(?:przez|za?pomoca|przy(?:uzyciu|pomocy|wsparciu)|z)",
       "el": "(?:με(?:τηβοηθεια)?|απο|μεσω)", "ru": "(?:с(?:помощью|использованием)|при?помощи)?",
       "bg": "(?:от|с|чрез|с?помощта?на)", "ko": "(?:로|으로|가|이|에의해|를사용하여|를이용해|의도움으로)?",
       "ja": "(?:で|によって|により|による|が|を使って|を用いて)?"}
_IS = {"de": "(?:wurden?|ist|sind)?", "fr": "(?:aete|ontete|est|sont)?", "es": "(?:hasido|fue|es|estan?)?",
       "it": "(?:e|sono)?(?:stat[oa])?", "pt": "(?:foi|e)?", "pl": "(?:został[oay]?|jest)?",
       "ru": "(?:был[оаи]?)?", "bg": "(?:е|беше)?"}
_HOW = {"de": "automatisch|teilweise|vollstandig|ganz|maschinell",
        "fr": "automatiquement|partiellement|entierement|enpartie",
        "es": "automaticamente|parcialmente|totalmente|enparte",
        "it": "automaticamente|parzialmente|interamente|inparte",
        "pt": "automaticamente|parcialmente|totalmente|emparte", "pl": "automatycznie|czesciowo|w?całosci",
        "ru": "автоматически|частично|полностью", "bg": "автоматично|частично|изцяло", "ko": "자동으로?|일부|전부",
        "ja": "自動(?:的に|で)?|一部|全部", "el": "αυτοματα|εν?μερει"}
_BEFORE, _BEHIND = {"de"}, {"ko", "ja"}  # AI comes before what is done, and what says by before it or behind it
_ARABIC_AI = "(?:تقنيات|أدوات)?(?:ال)?ذكاء(?:ال)?اصطناعي"
_DUTCH_THING = ("(?:(?:@(dit|deze)|het|de)?(?:artikel|tekst|bericht|inhoud|samenvatting|vertaling|pagina|antwoord|"
"verhaal)|"
                "(?:dit|deze|het|de)?(?:beeld|afbeelding|foto|video))?")
_DUTCH_AI = "(?:met(?:behulpvan)?|door)?(?:een)?(?:ai|kunstmatigeintelligentie)"
_DUTCH_DONE = "(?:gemaakt|gegenereerde?|geschreven|opgesteld|gecreeerd|vertaald|samengevat)"
_WHOLE = (
    "@(هذ[اه])?(?:ال)?(?:صورة|محتوى|فيديو|نص|مقطع|مقال|تقرير)?(?:تم|تمت)?(?:إنشاء|إنشاؤها?|أنشئت?|مولدة?|توليده?ا?|"
    "منشأة?|كتابته?ا?)(?:بواسطة|باستخدام|عبر|بمساعدة)?(?:ب)?" + _ARABIC_AI,
    "(?:لقد)?تمت?(?:إنشاء|كتابة|توليد|إعداد|صياغة|ترجمة|إنتاج)@(هذ[اه])(?:ال)(?:صورة|محتوى|فيديو|نص|مقطع|مقال|مقالة|"
    "تقرير|ملخص|رسالة|رد|ترجمة|صفحة)(?:بواسطة|باستخدام|عبر|بمساعدة|منقبل)(?:ب)?" + _ARABIC_AI,
    "(?:(?:תמונה|סרטון|תוכן|טקסט|מאמר|כתבה|תקציר|מסמך)@(זו|זה|זאת)?)?(?:נוצרה?|נכתבה?|הופקה?|יוצר)"
    "(?:באמצעות|עלידי|בעזרת|ב)(?:ai|בינהמלאכותית)",
    "@(यह|इस)?(?:चित्र|तस्वीर|वीडियो|सामग्री|लेख|पाठ|सारांश|रिपोर्ट|अनुवाद|उत्तर)?(?:ai|एआई|कृत्रिमबुद्धिमत्ता)"
    "(?:द्वारा|से|कीमददसे)?(?:निर्मित|जनरेटेड|जनित|बनाया|बनाई|लिखा|लिखी|तैयारकिया)(?:गया|गई)?(?:है)?",
    f"{_DUTCH_THING}(?:is|werd|zijn)?(?:automatisch)?(?:{_DUTCH_AI}{_DUTCH_DONE}|{_DUTCH_DONE}{_DUTCH_AI})",
    "(?:ภาพ|วิดีโอ|เนื้อหา|ข้อความ|บทความ|บทสรุป|คำตอบ|รายงาน)?@(นี้)?(?:ถูก)?(?:สร้าง|จัดทำ|เขียน)(?:ขึ้น)?"
    "(?:โดย|ด้วย|จาก)(?:ai|ปัญญาประดิษฐ์)",
)
_AI_WORDS = ("(?:ai|artificiellintelligens|kunstigintelligens|ki)", "(?:ai|umel[oae][ujv]?inteligenc[eiu]+(?:ou|m)?)",
             "(?:umjetn|umetn)[aeo]m?inteligenc(?:ij)?[aeo]m?")
_MORE = (
    # Swedish, Danish, Norwegian: the thing is, by AI made; or AI-made
    "(?:(?:@(de[nt](?:har)?|denn[ae]|dett?[ae]|dette)|(?:de[nt])?)(?:text(?:en)?|tekst(?:en)?|artikk?el(?:e?n)?|"
    "innehall(?:et)?|"
    "indhold(?:et)?|innhold(?:et)?|sammanfattning(?:en)?|sammendrag(?:et)?|resume|oversattning(?:en)?|"
    "oversettelse(?:n)?|"
    "meddeland(?:et)|besked|side|sidan?|svar(?:et)?|rapport(?:en)?))?(?:ar|er|har|blev|blevet|ble|harblivit|erblevet)?"
    "(?:delvis|helt|automatisk?t?)?(?:(?:ai|ki)genere?r(?:ad|at|et)e?|(?:genere?r|skap|skabt|skapt|skriv|skrev|lav|lag|"
    "oprett|framstall|produce?r)(?:ad|at|et|en|its|ats|ts|t)?(?:av|af|med|ved|vha|vedhjelpav|vedhjælpaf|"
    "medhjalpav)(?:en)?"
    f"{_AI_WORDS[0]})",
    # Czech, Slovak
    "(?:(?:@(tento|tato|toto))?(?:text|clanek|clanok|obsah|souhrn|suhrn|preklad|prispevek|prispevok|zprava|sprava))?"
    "(?:by[l][aoy]?|bol[aoi]?|je)?(?:castecne|ciastocne|automaticky|zcela)?(?:vytvoren|vygenerovan|generovan|napsan|"
    "napisan|"
    "zpracovan|spracovan|prelozen)[aoyáé]?(?:(?:za|s)?pomoc[ioujm]*|prostrednictvim|prostrednictvom)?"
    f"{_AI_WORDS[1]}",
    # Croatian, Serbian (Latin), Slovene
    "(?:(?:@(ov[aoi]j?|ta|to))?(?:tekst|clanak|sadrzaj|besedilo|clanek|vsebina|sazetak|povzetek))?(?:je|bi[ol])?"
    "(?:djelomicno|automatski|samodejno)?(?:generiran|stvoren|napisan|izraden|izrađen|ustvarjen)[oae]?(?:je)?"
    f"(?:(?:uz|s)?pomoc[ujo]*|od|z|s)?(?:{_AI_WORDS[2]}|ai)",
    # Ukrainian
    "(?:(?:@(це[йи]|ц[яе]|дани[йи]))?(?:текст|статт[яю]|матеріал|контент|переклад|повідомлення|зміст|сторінк[ау]))?"
    "(?:бу[вл][оаи]?)?(?:частково|автоматично|повністю)?(?:створен|згенерован|написан|підготовлен|перекладен)[оаий]*"
    "(?:задопомогою|ізвикористанням|звикористанням)?(?:штучн(?:им|ого)інтелект(?:ом|у)|ші|ai|нейромереж(?:ею|і))",
    # Romanian
    "(?:(?:@(acest|aceasta))?(?:text|articol|continut|rezumat|traducere|mesaj|pagina|raspuns)(?:ul)?)?(?:afost|este|e)?"
    "(?:partial|automat|integral)?(?:generat|creat|scris|redactat|realizat|tradus)a?(?:de(?:catre)?|cu(?:ajutorul)?|"
    "prin|"
    "folosind)(?:o)?(?:ia|ai|inteligent[ae]i?artificial[ae]i?)",
    # Hungarian
    "(?:@(ezt?a?)(?:szoveg(?:et)?|cikk(?:et)?|tartal(?:om|mat)|osszefoglalot?))?(?:reszben|automatikusan)?(?:egy)?"
    "(?:mestersegesintelligencia|ai|mi)(?:val|vel|segitsegevel|altal)?(?:keszult|generalt[ae]?|irta|keszitette|"
    "hoztaletre)",
    # Finnish
    "(?:@(tama|taman))?(?:tekstin?|artikkelin?|sisalto|sisallon|yhteenveto|yhteenvedon)(?:on)?(?:osittain)?"
    "(?:(?:luotu|tuotettu|kirjoitettu|laadittu|tehty)(?:tekoalyn(?:avulla)?|tekoalylla)|"
    "tekoaly[nä]?(?:avulla)?(?:luoma|tuottama|kirjoittama|laatima|luotu|tuotettu|kirjoitettu|laadittu))",
    # Turkish
    "(?:@(bu)(?:metin|makale|icerik|yaz[iı]|ozet|ceviri|haber|sayfa))?(?:k[iı]smen|otomatikolarak|tamamen)?"
    "(?:yapayzek[aâ]|ai|yz)(?:taraf[iı]ndan|ile|kullan[iı]larak|yard[iı]m[iı]yla|deste[gğ]iyle)?"
    "(?:olu[sş]turul|uretil|yaz[iı]l|haz[iı]rlan)(?:mu[sş]tur|m[iı][sş]t[iı]r|du|d[iı]|m[iı][sş]|mu[sş]|maktad[iı]r)",
    # Vietnamese
    "(?:(?:noidung|baiviet|vanban|bantomtat|bandich)@(nay)?)?(?:đuoc)?(?:(?:tao(?:ra)?|viet|soan)(?:do|boi|bang)?"
    "(?:ai|tritue?nhantao)|(?:do|boi|bang)?(?:ai|tritue?nhantao)(?:tao(?:ra)?|viet|soan))",
    # Indonesian, Malay
    "(?:(?:konten|kandungan|teks|artikel|tulisan|ringkasan|terjemahan)@(ini)?)?(?:telah)?(?:sebagian)?"
    "(?:dibuat|ditulis|dihasilkan|disusun|dijana)(?:oleh|dengan(?:bantuan)?|menggunakan)(?:ai|kecerdasanbuatan)",
    # Persian
    "(?:@(این)(?:متن|مقاله|محتوا|خلاصه|تصویر))?(?:توسط|با|باکمک|بهکمک)?هوشمصنوعی(?:تولید|نوشته|ایجاد|ساخته)شده(?:است)?",
    # Estonian, Latvian, Lithuanian
    "(?:@(see))?(?:tekst|artikkel|sisu|kokkuvote)(?:on)?(?:loodud|kirjutatud|genereeritud|koostatud)"
    "(?:ai|tehisintellekti|tehisaru)(?:abil|poolt|ga)?",
    "(?:@(sis|si))?(?:teksts|raksts|saturs|kopsavilkums)(?:ir)?(?:izveidots|generets|uzrakstits|radits)"
    "(?:ar|izmantojot)?(?:maksligointelektu|maksligaintelekta|ai)(?:palidzibu)?",
    "(?:@(sis|si))?(?:tekstas|straipsnis|turinys|santrauka)(?:yra|buvo)?(?:sukurtas?|parasytas?|sugeneruotas?|"
    "parengtas?)"
    "(?:su|naudojant|pasitelkus)?(?:dirbtin(?:i|io|iu)intelekt[auo]|ai)(?:pagalba)?",
)
_GOES_ON = re.compile(  # behind a statement more may follow: a sign, or a word that joins a second half
    r"[,;:(（،、，。।.!！—–]|\s-\s|\s(?:und|aber|et|puis|mais|y|pero|e|ma|mas|i|ale|oraz|και|αλλά|и|но|а|ve|और|"
    r"(?:auf der )?grundlage|à partir|sur la base|a partir|a partire|na podstawie|на основе)\s|\s(?:و|ו)(?=\w)|で、|"
    r"し、")
_HEAD, _MOST_STOPS = 160, 8  # characters of a statement, and in how many places it is thought to end


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
    texts = [*_WHOLE, *_MORE]
    for language, done in _DONE.items():
        ai, by, verb = _AI[language], f"(?:{_BY[language]})", _IS.get(language, "")
        how, this = f"(?:{_HOW[language]})?", _THIS[language]
        either = f"(?:{this}|{_ARTICLES.get(language, '(?!)')})?"
        thing = (f"(?:(?:@({this})|{_ARTICLES.get(language, '(?!)')})?(?:{_TEXTS[language]})|"
                 f"{either}(?:{_PICTURES[language]}))?")
        last = thing.replace("@(", "(?:")
        texts.append(f"{thing}{verb}{how}{by}?{how}{ai}{how}{done}{verb}{last}" if language in _BEFORE else
                     f"{thing}{how}{ai}{by}?{how}{done}{last}(?:입니다|です)?" if language in _BEHIND else
                     f"{thing}{verb}{how}{done}{how}{by}{ai}")
    return tuple(re.compile(_without_marks(text).replace("@(", "(?P<self>")) for text in texts)


def _match(text: str) -> re.Match[str] | None:
    bare = folded(text)
    return next(filter(None, (one.fullmatch(bare) for one in _patterns())), None) if 4 <= len(bare) <= 120 else None


def states(text: str) -> bool:
    """Whether a line is a label in one of these languages and says nothing else."""
    return len(text) <= 100 and _match(text) is not None


def statement(sentence: str) -> tuple[str, bool] | None:
    """What a sentence begins with that states generation in one of these languages, and whether it says what it is
    about (this text); None where it begins otherwise, or goes on without saying that."""
    head = sentence[:_HEAD]
    if not names_ai(head):
        return None
    for stop in (*(one.start() for one in itertools.islice(_GOES_ON.finditer(head), _MOST_STOPS)), len(head)):
        if stop >= len(sentence) or stop < len(head):
            found = _match(head[:stop])
            if found and (found["self"] or states(sentence)):
                return head[:stop], bool(found["self"])
    return None


_NAMES_AI = re.compile(
    r"\b(?:KI|IA|SI|AI|A\.I\.|ИИ|ΤΝ)(?![A-Za-zА-я])|(?<![A-Za-z])AI(?![A-Za-z])|artificial|artificiel|künstlich|"
    r"sztuczn|нейросет|искусственн|изкуствен|τεχνητ|인공지능|人工知能|人工智能|(?:ال|بال)ذكاء|בינה מלאכותית|एआई|"
    r"कृत्रिम|"
    r"ปัญญาประดิษฐ์|[Шш]тучн|ШІ|нейромереж|[Uu]mj?etn|[Uu]m[eě]l[oeé]|[Mm]esterséges|[Tt]ekoäly|[Yy]apay zek|"
    r"[Kk]ecerdasan buatan|هوش مصنوعی|[Ii]nteligen[țţt]|[Tt]ehis(?:intellekt|aru)|[Mm]āksl[īi]g|[Dd]irbtin|"
    r"[Kk]unstig intelligens|[Tt]rí tuệ")


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
