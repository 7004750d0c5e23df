# SPDX-License-Identifier: Apache-2.0
"""What each clause asks, which function does it, which rule of `check` judges it, and which test holds it.

    python -m tests.law > docs/law.md
    python -m tests.law zh > docs/zh/law.md

`tests/test_law.py` fails where a page differs, and where a function, a rule or a test is named that there is not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests import law_zh

NOT_OURS = "no file shows it: for the operator to do"


@dataclass(frozen=True)
class Clause:
    """One clause.

    functions  dotted names; empty where nothing in labelkit does it, and then `why_not` says why
    rules      of `labelkit.compliance`; test  "file::name" below tests/
    """

    clause: str
    asks: str
    functions: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    why_not: str = ""


WRONG = "test_wrong_files.py::test_a_wrong_file_fails_its_rule_and_its_twin_passes_it"
EXPLICIT = ("explicit-label",)
ANNEX_E = ("json-form", "seven-fields", "field-names", "label-value", "characters", "value-length")
LAWS: dict[str, tuple[Clause, ...]] = {
    "China: GB 45438-2025": (
        Clause("4", "explicit and implicit labels", ("labelkit.embed",), (),
               ("test_compliance.py::test_a_file_of_ours_passes_every_rule_of_the_standard",)),
        Clause("5.1", "words or the corner mark AI in a text", ("labelkit.explicit.text.draw",),
               (*EXPLICIT, "explicit-position"), ("explicit/test_text.py::test_check_judges_clause_5_1", WRONG)),
        Clause("5.2", "text at an edge or corner of a picture, 5 % of the shortest side, legible",
               ("labelkit.explicit.image.drawing.draw",),
               (*EXPLICIT, "explicit-position", "explicit-height", "explicit-contrast"),
               ("explicit/test_image.py::test_ink_height_reaches_the_floor", WRONG)),
        Clause("5.3", "speech or the rhythm of AI in sound", ("labelkit.explicit.audio.drawing.draw",),
               (*EXPLICIT, "explicit-level"), ("explicit/test_audio.py::test_it_is_put_where_it_was_asked_for", WRONG)),
        Clause("5.4", "text in a film, in the first frame and for 2 s", ("labelkit.explicit.video.drawing.draw",),
               (*EXPLICIT, "explicit-form"), ("explicit/test_video.py::test_a_label_that_goes_too_early_is_invalid",)),
        Clause("5.5", "text in the start frame of a virtual scene", ("labelkit.codec.text.encode",), EXPLICIT,
               ("explicit/test_scene.py::test_a_sign_stands_below_the_scene_and_the_rest_stays",)),
        Clause("5.6", "text in the user interface", why_not=NOT_OURS),
        Clause("6.1 a)", "producer, propagator and their numbers", ("labelkit.label.Label",),
               ("metadata-label", "elements", "provider-code"),
               ("metadata/test_formats.py::test_the_label_reads_back_and_the_payload_stays", WRONG)),
        Clause("6.1 c)", "one metadata label in a file", ("labelkit.metadata.write",), ("metadata-unique",),
               ("metadata/test_formats.py::test_writing_again_replaces_the_label", WRONG)),
        Clause("6.2", "a watermark is allowed", ("labelkit.watermark.embed",), ("layers-agree",), (WRONG,)),
        Clause("Annex E", "the form of the label", ("labelkit.label.Label.to_json",), ANNEX_E,
               ("test_compliance.py::test_fields_of_others_are_judged_one_by_one", WRONG)),
        Clause("Annexes A to D, F", "examples, which ask for nothing", why_not="nothing is asked")),
    "China: guides and Labeling Measures": (
        Clause("TC260-PG-20257A to 202510A", "where the label goes in each format", ("labelkit.metadata.write",),
               ("metadata-placement",), (WRONG,)),
        Clause("TC260-PG-202511A", "the label signed in its reserved code", ("labelkit.metadata.security_data.sign",),
               ("signature",), ("metadata/test_security_data.py::test_signed_label_is_legal_and_verifies",)),
        Clause("Measures, Article 4", "the file that is downloaded carries the label", ("labelkit.embed",), EXPLICIT,
               ("test_compliance.py::test_a_file_of_ours_passes_every_rule_of_the_standard",)),
        Clause("Measures, Article 6", "what platforms verify, show and write", ("labelkit.propagation.propagate",), (),
               ("test_propagation.py::test_table_of_article_6",)),
        Clause("Measures, Article 8", "the user agreement explains the labels", why_not=NOT_OURS),
        Clause("Measures, Article 9", "a waiver on record, and records kept for six months",
               ("labelkit.log.LabelLog.waived", "labelkit.log.LabelLog.expire", "labelkit.log.LabelLog.verify"),
               ("explicit-label", "log-retention"),
               ("log/test_expiry.py::test_records_are_kept_for_six_months",
                "cli/test_check_report.py::test_a_log_that_lost_records_too_early_fails")),
        Clause("Measures, Article 10", "labels are not removed or forged", ("labelkit.label.Label.propagated_by",),
               ("manifest-whole",),
               ("test_propagation.py::test_contradicted_and_broken_labels_are_reported_not_replaced", WRONG))),
    "EU: AI Act, Article 50, and Code of Practice, Section 1": (
        Clause("Art. 50(2)", "marked for machines", ("labelkit.embed",), ("machine-readable",), (WRONG,)),
        Clause("M1.1 (a)", "signed and time-stamped metadata that say so", ("labelkit.provenance.sign",),
               ("signed-metadata", "signed-statement", "time-stamp"),
               ("test_compliance.py::test_the_european_code_wants_signed_metadata_and_a_watermark", WRONG)),
        Clause("M1.1 (b)", "an imperceptible watermark", ("labelkit.watermark.embed",), ("watermark",),
               ("test_jurisdictions.py::test_a_watermark_that_anybody_can_write_does_not_pass", WRONG)),
        Clause("Sub-measure 1.1.2", "a watermark in texts of more than 200 tokens", (), ("text-watermark",),
               ("test_jurisdictions.py::test_texts_of_more_than_200_tokens_need_a_watermark_that_nobody_sees_here",
                "test_jurisdictions.py::test_the_rule_on_texts_says_how_long_the_text_is_and_who_can_tell"),
               "a model puts it in as it writes"),
        Clause("M1.2", "earlier marks are kept", ("labelkit.provenance.sign",), ("marks-kept",),
               ("test_jurisdictions.py::test_marks_of_what_the_content_was_made_from_are_kept",)),
        Clause("M1.3", "system, provider, time, model, kind of edit",
               ("labelkit.metadata.xmp.state_generator", "labelkit.provenance.sign"),
               ("system-name", "provider-name", "time", "model", "edit-type"),
               ("test_generator.py::test_the_manifest_names_model_and_kind_of_edit",
                "test_generator.py::test_exiftool_reads_them",
                "metadata/test_mp4_xmp.py::test_the_rule_of_the_european_code_passes_for_a_film_without_a_manifest")),
        Clause("M1.4", "a label that users can put on", ("labelkit.plan.Explicit.eu",), (),
               ("explicit/test_eu.py::test_the_label_of_the_code_is_top_right_and_throughout",)),
        Clause("M2.1", "a detector, free of charge", ("labelkit.verify", "labelkit.page.site.build"), ("detector",),
               ("cli/test_check.py::test_the_generating_system_is_what_california_asks_for",)),
        Clause("M2.2", "forensic detection, optional", why_not="no forensic detector"),
        Clause("M2.3", "the result names its basis", ("labelkit.report.Report.to_dict",), (),
               ("test_report_schema.py::test_reports_of_pictures_fit",)),
        Clause("M3.1, M3.2", "effective, reliable; the signer is trusted", ("labelkit.TrustList.c2pa",),
               ("signer-trusted",),
               ("test_compliance.py::test_the_european_code_wants_signed_metadata_and_a_watermark",)),
        Clause("M3.3", "robust against the listed transformations and attacks, which `labelkit evidence` tries",
               ("labelkit.trials.measure.Run", "labelkit.trials.subject.trials_of"), (),
               ("trials/test_trials.py::test_all_that_measure_3_3_lists_is_tried",
                "trials/test_trials.py::test_a_mark_is_read_after_what_it_should_survive")),
        Clause("M3.4", "interoperable detection by 2027-02-02",
               ("labelkit.signpost.Signpost", "labelkit.resolve.recover"), (),
               ("test_signpost.py::test_manifest_and_xmp_state_it",
                "service/test_resolution.py::test_a_mark_leads_to_its_manifest")),
        Clause("M4.1, M4.3, M4.4", "documents, training, authorities", why_not=NOT_OURS),
        Clause("M4.2", "documented tests of one's own, until there are benchmarks",
               ("labelkit.trials.report.Report", "labelkit.trials.signed.sign", "labelkit.page.evidence.page"), (),
               ("trials/test_run.py::test_the_table_says_what_was_read_and_that_nothing_was_found_where_nothing_is",
                "cli/test_evidence.py::test_a_report_is_written_signed_and_checked"))),
    "EU: Code of Practice, Section 2": (
        Clause("Art. 50(4), (5)", "deep fakes and public-interest texts are disclosed", ("labelkit.plan.Explicit.eu",),
               ("visible-disclosure",),
               ("test_jurisdictions.py::test_without_a_label_a_person_judges_whether_it_is_a_deep_fake",)),
        Clause("M1.1", "AI in capitals, GENERATED or MODIFIED, a spoken disclaimer", ("labelkit.plan.Explicit.eu",),
               ("disclosure-design", "disclosure-spoken", "disclosure-kind"),
               ("explicit/test_eu.py::test_the_words_are_found_where_they_were_drawn_at_any_scale", WRONG)),
        Clause("M1.2", "where, from the beginning, and again", ("labelkit.plan.Explicit.eu",),
               ("disclosure-place", "disclosure-repeated"),
               ("explicit/test_eu.py::test_sound_says_it_at_the_beginning_and_again", WRONG)),
        Clause("Commitments 2 to 4", "processes, artistic works, editorial responsibility", why_not=NOT_OURS)),
    "California: Bus. & Prof. Code (SB 942, AB 853; SB 1000)": (
        Clause("§ 22757.2", "a free tool that reads the marks", ("labelkit.verify", "labelkit.page.site.build"),
               ("detector", "detectable"),
               ("cli/test_check.py::test_the_generating_system_is_what_california_asks_for",)),
        Clause("§ 22757.3(a)", "a visible label on offer (not with SB 1000)", ("labelkit.embed",),
               ("manifest-disclosure",),
               ("test_jurisdictions.py::test_sb_1000_drops_the_visible_option_and_asks_what_was_done",)),
        Clause("§ 22757.3(b)(1)", "provider, system and version, time, identifier", ("labelkit.plan.Generator",),
               ("provider-name", "system", "time", "unique-identifier"),
               ("test_compliance.py::test_california_wants_who_what_when_and_which", WRONG)),
        Clause("(1)(E) of SB 1000", "created or altered", ("labelkit.plan.Generator",), ("created-or-altered",),
               (WRONG,)),
        Clause("§ 22757.3(b)(2) to (4)", "detectable, by industry standards, hard to remove", ("labelkit.embed",),
               ("detectable", "signed-metadata", "watermark"), (WRONG,)),
        Clause("scope", "texts are outside", (), ("scope",),
               ("test_jurisdictions.py::test_sb_1000_drops_the_visible_option_and_asks_what_was_done",),
               "nothing is asked"),
        Clause("§ 22757.3(c)", "licensees", why_not=NOT_OURS),
        Clause("§ 22757.3.1", "large platforms, from 2027-01-01: provenance data are sought, shown and kept; how "
               "they are shown, no file tells", ("labelkit.verify", "labelkit.propagation.propagate"), (),
               ("test_propagation.py::test_what_a_producer_wrote_stays_whatever_it_is",
                "metadata/test_mp4.py::test_a_manifest_is_not_broken"))),
    "Korea: AI Basic Act": (
        Clause("Article 31", "a mark on what leaves the service; deep fakes clearly recognisable", ("labelkit.embed",),
               ("exported-mark", "deep-fake-notice"),
               ("test_jurisdictions.py::test_korea_wants_a_mark_on_what_leaves_the_service", WRONG)),),
    "India: IT Rules": (
        Clause("Rule 3(3)", "a prominent label, permanent metadata, a unique identifier", ("labelkit.embed",),
               ("prominent-label", "permanent-metadata", "unique-identifier"),
               ("test_jurisdictions.py::test_india_wants_a_label_an_identifier_and_nothing_broken", WRONG)),
        Clause("Rule 3(3)(b)", "labels are not altered or removed", ("labelkit.provenance.sign",), ("unaltered",),
               (WRONG,)),
        Clause("draft of April 2026", "the label throughout a film", ("labelkit.plan.Showing",), ("label-throughout",),
               ("test_jurisdictions.py::test_india_wants_a_label_an_identifier_and_nothing_broken",)),
        Clause("takedown", "within three hours", why_not=NOT_OURS))}


HEAD = ("---", "description: What each clause of each law asks, what does it, and which test holds it.", "---", "",
        "# The law, clause by clause", "", "<!-- Generated by python -m tests.law; do not edit. -->", "",
        "What each clause asks, the function that does it, the rule of `labelkit check` that judges it, and the test "
        "that holds it.", "This is an engineering aid, no legal advice.", "")
COLUMNS = ("clause", "asks", "function", "rule", "test")


def page(chinese: bool = False) -> Iterator[str]:
    """The lines of docs/law.md, or of docs/zh/law.md."""
    head, columns = (law_zh.HEAD, law_zh.COLUMNS) if chinese else (HEAD, COLUMNS)
    laws, clauses, texts = (law_zh.LAWS, law_zh.CLAUSES, law_zh.TEXTS) if chinese else ({}, {}, {})
    yield from head
    for law, rows in LAWS.items():
        yield from (f"## {laws.get(law, law)}", "", f"| {' | '.join(columns)} |", "| --- | --- | --- | --- | --- |")
        for one in rows:
            cells = (_codes(one.functions) or texts.get(one.why_not, one.why_not), _codes(one.rules) or "–",
                     _codes(one.tests) or "–")
            yield (f"| {clauses.get(one.clause, one.clause)} | {texts.get(one.asks, one.asks)} | "
                   f"{' | '.join(cells)} |")
        yield ""


def _codes(names: tuple[str, ...]) -> str:
    return "<br>".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    print("\n".join(page(chinese="zh" in sys.argv)).rstrip())
