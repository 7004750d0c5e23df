# SPDX-License-Identifier: Apache-2.0
"""Labels in other languages than Chinese: drawn in their scripts, found again, and not where there are none."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from labelkit.codec.samples import ImageSamples
from labelkit.compliance import Outcome, check
from labelkit.errors import InvalidArgument, InvalidLabel, MissingGlyph, UnsupportedFormat
from labelkit.explicit import image
from labelkit.explicit.image import font, raster
from labelkit.explicit.translations import LEADS, TAILS
from labelkit.explicit.wording import Wording, is_negated, wording
from labelkit.languages import LANGUAGES
from labelkit.plan import Explicit

OTHERS = [language for language in LANGUAGES if language != "zh"]
PRODUCER = "001191440300708461136T1XGW3"


def _host(height: int, width: int) -> np.ndarray:
    """A host of this size, between waves and noise."""
    y, x = np.indices((height, width))
    random = np.random.default_rng(5)
    plane = 120 + 60 * np.sin(x / 37) * np.cos(y / 53) + random.normal(0, 12, (height, width))
    return np.repeat(np.clip(plane, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _labelled(language: str, height: int, width: int, **plan: object) -> np.ndarray:
    return image.draw(_host(height, width), replace(Explicit(language=language), **plan))[0]


def _found(pixels: np.ndarray, *languages: str) -> lk.Finding:
    return image.find(ImageSamples((pixels,)), languages=languages)


def _jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality)
    return np.asarray(Image.open(out).convert("RGB"))


@pytest.mark.parametrize("language", OTHERS)
def test_a_label_is_found_at_three_sizes_and_after_jpeg(language):
    for height, width in ((320, 480), (540, 800), (900, 1200)):
        finding = _found(_jpeg(_labelled(language, height, width), 60))
        assert finding.status is lk.Status.VALID
        assert finding.evidence.text == LANGUAGES[language].text
        assert finding.evidence.language == language
        assert finding.evidence.position == "bottom-right"


@pytest.mark.parametrize("language", OTHERS)
def test_a_label_in_a_cropped_picture_is_found_without_being_asked_for(language):
    pixels = _labelled(language, 600, 900)
    cropped = _jpeg(np.ascontiguousarray(pixels[100:-9, 50:-14]), 60)
    assert _found(cropped).evidence.text == LANGUAGES[language].text
    x, y, width, height = _found(pixels).evidence.box
    pixels[y - 8:y + height + 8, x - 8:x + width + 8] = 20  # the plate alone
    assert _found(np.ascontiguousarray(pixels[100:-9, 50:-14])).status is lk.Status.ABSENT


def test_a_label_below_the_legal_height_is_found_in_the_language_that_is_asked_for():
    pixels = np.pad(_labelled("de", 400, 600), ((110, 0), (200, 0), (0, 0)), constant_values=128)
    assert _found(pixels[:-12], "de").evidence.text == LANGUAGES["de"].text
    assert _found(pixels[:-12], "th").status is lk.Status.ABSENT


def test_unlabelled_pictures_have_no_label_in_any_language():
    for height, width in ((240, 320), (600, 800)):
        assert _found(_host(height, width), *LANGUAGES).status is lk.Status.ABSENT


@pytest.mark.parametrize("language", ["de", "es", "he", "ja"])
def test_a_denial_is_no_label(language):
    lead, tail = next(iter(LEADS.get(language, ())), ""), next(iter(TAILS.get(language, ())), "")
    words = lead + LANGUAGES[language].text if lead and language != "ja" else LANGUAGES[language].text + tail
    assert is_negated(words)
    pixels = _host(540, 900)
    rendering = raster.render((words,), 27, "text", None)
    height, width = rendering.size
    part = pixels[540 - 11 - height:540 - 11, 900 - 11 - width:900 - 11]
    part[...] = 20
    part[...] = np.maximum(part, rendering.ink[..., None])
    finding = _found(pixels, language)
    assert finding.status is lk.Status.ABSENT
    with pytest.raises(InvalidLabel):
        image.draw(pixels, Explicit(words, language=language))


def test_words_of_another_language_are_refused_only_as_a_label_for_china():
    for text in ("AI-generated", "AI생성", "Generado por IA"):
        with pytest.raises(InvalidLabel, match="GB 45438-2025 5.2"):
            image.draw(_host(300, 600), Explicit(text))
        image.draw(_host(300, 600), Explicit(text, language="en"))
    with pytest.raises(InvalidLabel, match="GB 45438-2025 5.2"):
        image.draw(_host(300, 600), Explicit("AI-generated", language="zh"))
    with pytest.raises(InvalidLabel):
        image.draw(_host(300, 600), Explicit("--- 1", language="en"))
    with pytest.raises(InvalidArgument):
        Explicit(language="xx")
    with pytest.raises(InvalidArgument):
        lk.verify(_host(64, 64), languages="de")


def test_a_text_that_the_manifest_names_is_found_wherever_it_stands():
    pixels = image.draw(_host(600, 900), Explicit("Hecho con una IA", language="es", corner="top-left"))[0]
    pixels = np.ascontiguousarray(pixels[6:, 9:])
    assert image.find(ImageSamples((pixels,)), "Hecho con una IA").evidence.text == "Hecho con una IA"
    assert image.find(ImageSamples((pixels,))).status is lk.Status.ABSENT
    assert image.find(ImageSamples((pixels,)), "Hecho con una TV").status is lk.Status.ABSENT
    assert image.find(ImageSamples((pixels,)), "\U0001f916").status is lk.Status.ABSENT  # what we cannot have drawn


def _columns(text: str) -> np.ndarray:
    return np.flatnonzero(raster.render((text,), 40, "text", None).ink.any(axis=0))


def test_right_to_left_is_set_from_right_to_left():
    hebrew, latin = _columns("נוצר"), _columns("AI")
    both = raster.render(("נוצר AI",), 40, "text", None)
    gaps = np.flatnonzero(np.diff(np.flatnonzero(both.ink.any(axis=0))) > 8)
    assert len(latin) < len(hebrew)
    # the Latin letters are the last word, so that they stand at the left
    left_word = np.flatnonzero(both.ink.any(axis=0))[:gaps[0] + 1]
    assert abs(len(left_word) - (latin[-1] - latin[0] + 1)) < 12


def test_arabic_letters_join():
    joined = raster.render(("مولد",), 60, "text", None)
    apart = [raster.render((letter,), 60, "text", None) for letter in "مولد"]
    assert joined.ink.any(axis=0).sum() < sum(one.ink.any(axis=0).sum() for one in apart)
    assert len(joined.glyphs) < 4


def test_a_badge_stands_before_the_text_as_it_is_read():
    hebrew = raster.render((LANGUAGES["he"].text,), 40, "icon", None)
    english = raster.render((LANGUAGES["en"].text,), 40, "icon", None)
    assert hebrew.ink[:, -60:].mean() > hebrew.ink[:, :60].mean()
    assert english.ink[:, :60].mean() > english.ink[:, -60:].mean()


def test_a_script_that_must_be_shaped_is_refused_where_that_cannot_be_done(monkeypatch):
    monkeypatch.setattr(font, "can_shape", lambda: False)
    raster.render.cache_clear()
    with pytest.raises(UnsupportedFormat, match="Raqm"):
        font.Font.open(None, "תוכן").check("תוכן")
    font.Font.open(None, "Généré").check("Généré")


def test_a_character_that_no_bundled_font_has_is_refused():
    with pytest.raises(MissingGlyph):
        image.draw(_host(300, 600), Explicit("AI 쀍", language="ko"))


def test_a_label_in_two_lines_is_stated_and_found_with_its_spaces():
    pixels, drawn = image.draw(_host(300, 90), Explicit(language="es"))
    assert len(drawn.lines) > 1 and drawn.text == "Generado por IA"
    assert _found(pixels).evidence.text == "Generado por IA"


def test_words_are_not_broken_across_lines():
    lines = raster.break_lines("Généré par une intelligence artificielle", 3, None)
    assert " ".join(lines) == "Généré par une intelligence artificielle"
    assert raster.break_lines("Wygenerowano", 2, None) is None
    assert raster.break_lines("Generado por IA", 4, None) is None  # no line holds a space alone
    assert raster.break_lines("Generado por IA", 3, None) == ("Generado", "por", "IA")


@pytest.mark.parametrize("text", [
    "Mit KI erstelltes Bild", "Image générée par l'IA", "Imagen generada por IA", "Immagine creata con AI",
    "Создано с помощью ИИ", "AI 생성", "인공지능으로 생성되었습니다", "この画像はAIによって生成されました",
    "เนื้อหานี้สร้างโดย AI",     "एआई द्वारा निर्मित"])
def test_labels_by_other_hands_are_told_by_their_words(text):
    assert wording(text) is Wording.OTHER


@pytest.mark.parametrize("text", [
    "Wie KI-generierte Bilder wirken", "Bild des Tages", "Nicht mit KI erstellt", "No generado por IA", "Не создано ИИ",
    "AIで生成されていません", "KI", "La IA generativa en la escuela", "AI 교육", "Ohne KI erstellt"])
def test_other_texts_about_ai_are_no_labels(text):
    assert wording(text) not in (Wording.OTHER, Wording.LABEL, Wording.ENGLISH)


def test_verify_finds_a_label_in_german_and_the_standard_is_not_met():
    out = io.BytesIO()
    Image.fromarray(_host(320, 480)).save(out, "PNG")
    label = lk.Label(lk.Kind.GENERATED, PRODUCER, "1")
    plan = lk.Plan(explicit=lk.Explicit(language="de"), watermark=None)
    made = lk.embed(out.getvalue(), label=label, plan=plan)
    report = lk.verify(made)
    assert report[lk.Layer.EXPLICIT].status is lk.Status.VALID
    assert report.explicit.wording == "other"
    assert [one.outcome for one in check(report) if one.rule == "explicit-label"] == [Outcome.FAIL]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("format, source", [
    ("txt", "Ein Text.\n\nUnd noch einer.\n"), ("html", "<p>Ein Text.</p>"),
    ("srt", "1\n00:00:01,000 --> 00:00:02,000\nHallo\n")])
def test_a_text_carries_the_words_of_a_language_and_they_are_found(language, format, source):
    plan = lk.Plan(explicit=lk.Explicit(language=language, place="both"), watermark=None)
    label = lk.Label(lk.Kind.GENERATED, PRODUCER, "1")
    report = lk.verify(lk.embed(source, label=label, plan=plan, format=format), format=format)
    assert report[lk.Layer.EXPLICIT].status is lk.Status.VALID
    assert report.explicit.language == (language if language != "zh" else None)
    assert lk.verify(source, format=format)[lk.Layer.EXPLICIT].status is lk.Status.ABSENT


@pytest.mark.parametrize("text", ["Texte généré par IA", "[Mit KI erstellt]", "【Создано с помощью ИИ】\n\nТекст.",
                                  "本文.\n\n(この文章はAIで生成されました)"])
def test_labels_in_texts_by_other_hands_are_found(text):
    assert lk.verify(text, format="txt")[lk.Layer.EXPLICIT].status is lk.Status.VALID


@pytest.mark.parametrize("text", [
    "Die Schule verbietet KI-generierte Aufsätze.\n\nDas sagt der Rektor.", "[Nicht mit KI erstellt]\n\nEin Text.",
    "Ce roman n'a pas été généré par IA.\n\nSon auteur le jure.", "ИИ изменит мир.\n\nТак говорят.",
    "«Generado por IA», dice la etiqueta que nadie lee.\n\nUn artículo.", "# KI-generiert?\n\nEin Kommentar."])
def test_texts_about_ai_in_other_languages_are_no_labels(text):
    assert lk.verify(text, format="markdown")[lk.Layer.EXPLICIT].status is lk.Status.ABSENT


ATTRIBUTED = """Dieser Artikel wurde mit KI erstellt, so der Vorwurf der Leser.
Diese Nachricht wurde mit KI erstellt – so erkennen Sie Betrug.
Dieser Text wurde mit KI erstellt, Experten zufolge sogar fehlerfrei.
Dieser Text wurde mit KI erstellt, hieß es auf der Pressekonferenz.
Diese E-Mail wurde mit KI erstellt, sollen die Opfer glauben.
Ce message a été généré par IA, selon la police.
Cette page a été générée par IA, soupçonne la rédaction.
Este informe fue generado por IA, o eso creen muchos.
Questo articolo è stato generato con IA, secondo i lettori.
Ten tekst został wygenerowany przez AI, według nauczyciela.
Этот текст создан ИИ, по словам учителя.
This essay was written by AI, or so the teacher thinks.
This article was generated by AI, according to its critics.
This letter was written by AI: how to spot a scam."""
STATED = """Dieser Text wurde mit KI erstellt, so dass Fehler möglich sind.
Dieser Text wurde mit KI erstellt - bitte prüfen Sie die Angaben.
Dieser Artikel wurde mit KI generiert, laut unseren Regeln kennzeichnen wir das.
Ce texte a été généré par IA – vérifiez les informations.
This article was written by AI, so please check the facts.
Este texto fue generado por IA, con supervisión humana."""


@pytest.mark.parametrize(("text", "is_label"), [*((one, False) for one in ATTRIBUTED.split("\n")),
                                                *((one, True) for one in STATED.split("\n"))])
def test_what_another_says_of_a_text_is_no_label(text, is_label):
    found = lk.verify(text + "\n\nEin Absatz.\n\nUnd das Ende.", format="txt")[lk.Layer.EXPLICIT]
    assert (found.status is lk.Status.VALID) is is_label
