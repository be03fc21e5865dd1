"""What an agent is shown of folders and files: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import quoteattr

from yiku.core.file import Directory, FileStatus, ShownFile, Window
from yiku.core.language import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "empty": "[No lines: the file has {count}]",
        "start": "[Viewing file start (out of {count} lines)]",
        "lines": "[Viewing lines {first} to {last} (out of {count} lines)]",
        "cut": "[There is no room for more: to go on, open it with offset={offset}]",
        "more": "[{count} more files, closed]",
        "waits": "[The file is still being read]",
        "broken": "[The file couldn't be read: {problem}]",
    },
    "zh": {
        "empty": "[没有内容：文件共 {count} 行]",
        "start": "[显示文件开头（共 {count} 行）]",
        "lines": "[显示第 {first} 至 {last} 行（共 {count} 行）]",
        "cut": "[放不下更多内容：要继续看，请以 offset={offset} 打开]",
        "more": "[还有 {count} 个文件未打开]",
        "waits": "[文件仍在读取中]",
        "broken": "[文件无法读取：{problem}]",
    },
}


def directories_text(
    found: Sequence[Directory], *, max_open: int, view_chars: int, language: Language
) -> str:
    """Folders in the order they were attached; empty where there are none."""
    if not found:
        return ""
    count = sum(one.held.is_open for each in found for one in each.files)
    lines = [
        "<directories>",
        "<file_limits>",
        f"- current_files_open={count}",
        f"- max_files_open={max_open}",
        "</file_limits>",
    ]
    for each in found:
        lines += directory_lines(each, view_chars, language)
    return "\n".join([*lines, "</directories>"])


def directory_lines(one: Directory, view_chars: int, language: Language) -> list[str]:
    lines = [f"<directory name={quoteattr(one.folder.name)}>"]
    for name in ("description", "instructions"):
        told = (getattr(one.folder, name) or "").strip()
        lines += [f"<{name}>{told}</{name}>"] if told else []
    for each in one.files:
        lines += file_lines(each, view_chars, language)
    if one.more_files:
        lines.append(WORDS[language]["more"].format(count=one.more_files))
    return [*lines, "</directory>"]


def file_lines(one: ShownFile, view_chars: int, language: Language) -> list[str]:
    held, words = one.held, WORDS[language]
    status = "open" if held.is_open else "closed"
    lines = [f"<file status={quoteattr(status)} name={quoteattr(held.path)}>"]
    if held.file.status is FileStatus.ERROR:
        lines.append(words["broken"].format(problem=held.file.problem))
    elif held.file.status is not FileStatus.COMPLETED:
        lines.append(words["waits"])
    elif one.window is not None:
        text = window_text(one.window, language)
        lines += [
            "<metadata>",
            "- read_only=true",
            f"- chars_current={len(text)}",
            f"- chars_limit={view_chars}",
            "</metadata>",
            f"<value>\n{text}\n</value>",
        ]
    return [*lines, "</file>"]


def window_text(one: Window, language: Language = "en") -> str:
    """Lines with their numbers, from 1, under a note on which part of the file they are."""
    words, count = WORDS[language], one.line_count
    if not one.lines:
        return words["empty"].format(count=count)
    note = "start" if one.first_line == 1 and one.wanted_last is None else "lines"
    told = words[note].format(count=count, first=one.first_line, last=one.last_line)
    numbered = [f"{n}: {line}" for n, line in enumerate(one.lines, one.first_line)]
    end = [words["cut"].format(offset=one.last_line)] if one.is_cut else []
    return "\n".join([told, *numbered, *end])
