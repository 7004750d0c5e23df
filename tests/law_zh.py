# SPDX-License-Identifier: Apache-2.0
"""The words of `tests/law.py` in Chinese, for docs/zh/law.md."""

from __future__ import annotations

HEAD = ("---", "description: 每部规则的每项条款有何要求，由哪个函数实现，由哪项测试验证。", "---", "",
        "# 法规逐条对照", "", "<!-- 由 python -m tests.law zh 生成，请勿手工修改。 -->", "",
        "每项条款的要求、实现它的函数、`labelkit check` 中判断它的规则，以及验证它的测试。",
        "仅供工程参考，不构成法律意见。", "")
COLUMNS = ("条款", "要求", "函数", "规则", "测试")
LAWS = {
    "China: GB 45438-2025": "中国：GB 45438-2025",
    "China: guides and Labeling Measures": "中国：实践指南与《标识办法》",
    "EU: AI Act, Article 50, and Code of Practice, Section 1": "欧盟：《人工智能法》第 50 条及《行为准则》第 1 部分",
    "EU: Code of Practice, Section 2": "欧盟：《行为准则》第 2 部分",
    "California: Bus. & Prof. Code (SB 942, AB 853; SB 1000)":
        "加利福尼亚州：《商业与职业法典》（SB 942、AB 853；SB 1000）",
    "Korea: AI Basic Act": "韩国：《人工智能基本法》",
    "India: IT Rules": "印度：《信息技术规则》"}
CLAUSES = {
    "Annex E": "附录 E", "Annexes A to D, F": "附录 A 至 D、附录 F",
    "TC260-PG-20257A to 202510A": "TC260-PG-20257A 至 202510A",
    "Measures, Article 4": "《标识办法》第四条", "Measures, Article 6": "《标识办法》第六条",
    "Measures, Article 8": "《标识办法》第八条", "Measures, Article 9": "《标识办法》第九条",
    "Measures, Article 10": "《标识办法》第十条",
    "Art. 50(2)": "第 50 条第 2 款", "Art. 50(4), (5)": "第 50 条第 4、5 款",
    "Sub-measure 1.1.2": "子措施 1.1.2", "M3.1, M3.2": "M3.1、M3.2", "M4.1, M4.3, M4.4": "M4.1、M4.3、M4.4",
    "Commitments 2 to 4": "承诺 2 至 4", "(1)(E) of SB 1000": "SB 1000 的 (1)(E)", "scope": "适用范围",
    "§ 22757.3(b)(2) to (4)": "§ 22757.3(b)(2) 至 (4)", "Article 31": "第 31 条",
    "draft of April 2026": "2026 年 4 月草案", "takedown": "下架"}
TEXTS = {
    "explicit and implicit labels": "显式标识与隐式标识",
    "words or the corner mark AI in a text": "文本中的文字或角标“AI”",
    "text at an edge or corner of a picture, 5 % of the shortest side, legible":
        "图片边缘或角部的文字，高度不低于最短边的 5 %，清晰可辨",
    "speech or the rhythm of AI in sound": "音频中的语音提示，或“AI”的节奏提示",
    "text in a film, in the first frame and for 2 s": "视频起始画面的文字，持续不少于 2 秒",
    "text in the start frame of a virtual scene": "虚拟场景起始画面的文字",
    "text in the user interface": "交互界面的文字",
    "producer, propagator and their numbers": "生成合成服务提供者、内容传播服务提供者及各自编号",
    "one metadata label in a file": "一个文件只有一个元数据标识",
    "a watermark is allowed": "可采用数字水印",
    "the form of the label": "标识的格式",
    "examples, which ask for nothing": "资料性附录，仅为示例",
    "where the label goes in each format": "各种格式中标识的位置",
    "the label signed in its reserved code": "预留字段中对标识的签名",
    "the file that is downloaded carries the label": "下载的文件带有标识",
    "what platforms verify, show and write": "传播平台如何核验、提示和写入",
    "the user agreement explains the labels": "用户协议说明标识",
    "a waiver on record, and records kept for six months": "不添加显式标识的记录，记录保存不少于六个月",
    "labels are not removed or forged": "不得删除或伪造标识",
    "marked for machines": "带有机器可读的标记",
    "signed and time-stamped metadata that say so": "经签名并带时间戳、载明人工智能生成的元数据",
    "an imperceptible watermark": "不可感知的水印",
    "a watermark in texts of more than 200 tokens": "超过 200 个词元的文本须有水印",
    "earlier marks are kept": "保留原有标记",
    "system, provider, time, model, kind of edit": "系统、提供者、时间、模型、修改类型",
    "a label that users can put on": "可供用户添加的标识",
    "a detector, free of charge": "免费的检测工具",
    "forensic detection, optional": "取证式检测，自愿采用",
    "the result names its basis": "结果说明依据",
    "effective, reliable; the signer is trusted": "有效、可靠；签名者可信",
    "robust against the listed transformations and attacks, which `labelkit evidence` tries":
        "经受所列的变换和攻击，由 `labelkit evidence` 逐项测试",
    "interoperable detection by 2027-02-02": "2027-02-02 前实现检测互通",
    "documents, training, authorities": "文档、培训、配合主管机关",
    "documented tests of one's own, until there are benchmarks": "在有统一基准之前，自行测试并留存记录",
    "deep fakes and public-interest texts are disclosed": "对深度伪造内容和公共利益文本予以披露",
    "AI in capitals, GENERATED or MODIFIED, a spoken disclaimer": "大写的 AI，GENERATED 或 MODIFIED，语音声明",
    "where, from the beginning, and again": "位置、从开头起、重复出现",
    "processes, artistic works, editorial responsibility": "流程、艺术作品、编辑责任",
    "a free tool that reads the marks": "读取标记的免费工具",
    "a visible label on offer (not with SB 1000)": "提供可见标识的选项（SB 1000 取消此项）",
    "provider, system and version, time, identifier": "提供者、系统及版本、时间、标识符",
    "created or altered": "生成还是修改",
    "detectable, by industry standards, hard to remove": "可检测、符合行业标准、难以去除",
    "texts are outside": "不适用于文本",
    "licensees": "被许可方",
    "large platforms, from 2027-01-01: provenance data are sought, shown and kept; how they are shown, no file tells":
        "大型平台，自 2027-01-01 起：查找、展示并保留来源数据；如何展示无法由文件看出",
    "a mark on what leaves the service; deep fakes clearly recognisable":
        "离开服务的内容须有标记；深度伪造内容须能明确辨认",
    "a prominent label, permanent metadata, a unique identifier": "醒目的标识、永久的元数据、唯一标识符",
    "labels are not altered or removed": "不得更改或去除标识",
    "the label throughout a film": "标识贯穿整部视频",
    "within three hours": "三小时内",
    "no file shows it: for the operator to do": "文件中无从体现：由运营者落实",
    "nothing is asked": "没有要求",
    "a model puts it in as it writes": "由模型在生成时嵌入",
    "no forensic detector": "没有取证式检测工具"}
