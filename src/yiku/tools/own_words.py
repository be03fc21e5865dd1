"""What our own tools return, in the agent's language."""

from __future__ import annotations

from collections.abc import Mapping

from yiku.core.language import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        # core memory
        "same": "Block {label!r} says this already; nothing was changed.",
        "emptied": "Block {label!r} is edited and empty now.",
        "edited": "Block {label!r} is edited ({size}). Its {where} now:\n{part}",
        "size": "{count:,} of {limit:,} characters",
        "line": "line {first}",
        "lines": "lines {first} to {last}",
        "finished": "Your edits are done.",
        "none": "none",
        "no_blocks": "You have no blocks.",
        "made": "Block {label!r} is made ({size}).",
        "gone": "You have no block {label!r} any more.",
        "renamed": "Block {old!r} is {new!r} now. Its description: {description}",
        # what was said, and archival memory
        "no_message": "No message was found. Other words, a longer time or fewer conditions may"
        " help.",
        "no_memory": "Nothing was found in archival memory. Other words or fewer conditions may"
        " help.",
        "message": "{count} message, {order}; times are {zone}.",
        "messages": "{count} messages, {order}; times are {zone}.",
        "memory": "{count} memory, {order}; times are {zone}.",
        "memories": "{count} memories, {order}; times are {zone}.",
        "best": "best first, with how well each fits (0 to 1)",
        "newest": "newest first",
        "tags": "tags: {tags}",
        "user": "user",
        "assistant": "assistant",
        "tool": "tool",
        "cut": "{text}… ({count:,} characters)",
        "and": ", ",
        "stored": "Stored in archival memory.",
        "roles": " It belongs to the role {roles}.",
        "known": "This is in archival memory already, since {at}:\n{text}",
        "part": "{count} part of the conversation stored in archival memory.",
        "parts": "{count} parts of the conversation stored in archival memory.",
        # memory skills
        "saved": "Saved to memory.",
        "masked": "A secret was left out ({kinds}): secrets are never stored.",
        "may_replace": "It may replace what is known; forget what no longer holds:",
        "known_memory": "This is in memory already, since {at}:\n{text}",
        "not_found": "Nothing was found in memory. Other words may help.",
        "forgotten": "Forgotten:\n{text}",
        "evolving": "The memory skill {name!r} is examined in the background. What comes of it"
        " waits for an administrator's decision and is shown by list_skill_changelog.",
        "evolving_all": "The memory skills are examined in the background. What comes of it"
        " waits for an administrator's decision and is shown by list_skill_changelog.",
        "unchanged": "No memory skill was changed yet.",
        "change": "{count} change, {order}; times are {zone}.",
        "changes": "{count} changes, {order}; times are {zone}.",
        # files
        "file_opened": "{name} is open ({count:,} lines).",
        "file_opened_at": "{name} is open, lines {first:,} to {last:,} of {count:,}.",
        "files_closed": "Closed: {names}.",
        "no_match": "No line matches {pattern!r}; files looked through: {count:,}.",
        "file_matches": "{total:,} lines match: {files}.",
        "more_files": "{count:,} more files",
        "matches_shown": "Matches {first:,} to {last:,}:",
        "no_more_matches": "There are no more matches.",
        "next_matches": "For the next matches: offset={offset}.",
        "no_part": "Nothing was found in your files. Other words may help.",
        "parts_found": "{count} parts of files, best first, with how well each fits (0 to 1).",
        # the rest
        "sent": "Sent",
        "silent": "The code ran, and printed nothing.",
        "no_text": "(The page has no text.)",
        "late": "`{tool}` took longer than {seconds:g} s.",
        "failed": "`{tool}` failed: {why}",
        "bug": "`{tool}` failed by an error of the server ({kind}), which is in its log. Go on"
        " without it, or try it otherwise.",
    },
    "zh": {
        "same": "记忆块 {label!r} 已经是这样，没有改动。",
        "emptied": "记忆块 {label!r} 已修改，现在为空。",
        "edited": "记忆块 {label!r} 已修改（{size}）。{where}现在是：\n{part}",
        "size": "{count:,} / {limit:,} 个字符",
        "line": "第 {first} 行",
        "lines": "第 {first} 至 {last} 行",
        "finished": "编辑已完成。",
        "none": "无",
        "no_blocks": "你没有记忆块。",
        "made": "已新建记忆块 {label!r}（{size}）。",
        "gone": "你已不再有记忆块 {label!r}。",
        "renamed": "记忆块 {old!r} 现在名为 {new!r}。说明：{description}",
        "no_message": "没有找到消息。可以换些词语，放宽时间或减少条件。",
        "no_memory": "归档记忆中没有找到相关内容。可以换些词语或减少条件。",
        "message": "{count} 条消息，{order}；时间为 {zone}。",
        "messages": "{count} 条消息，{order}；时间为 {zone}。",
        "memory": "{count} 条记忆，{order}；时间为 {zone}。",
        "memories": "{count} 条记忆，{order}；时间为 {zone}。",
        "best": "最相关的在前，附相关程度（0 到 1）",
        "newest": "最新的在前",
        "tags": "标签：{tags}",
        "user": "用户",
        "assistant": "助手",
        "tool": "工具",
        "cut": "{text}……（共 {count:,} 个字符）",
        "and": "、",
        "stored": "已存入归档记忆。",
        "roles": "它属于角色 {roles}。",
        "known": "归档记忆中已有这段内容，存于 {at}：\n{text}",
        "part": "已把对话的 {count} 个部分存入归档记忆。",
        "parts": "已把对话的 {count} 个部分存入归档记忆。",
        "saved": "已存入记忆。",
        "masked": "其中的机密信息已略去（{kinds}）：机密从不保存。",
        "may_replace": "它可能取代已有的记忆；不再成立的，请忘掉：",
        "known_memory": "记忆中已有这段内容，存于 {at}：\n{text}",
        "not_found": "记忆中没有找到相关内容。可以换些词语。",
        "forgotten": "已忘掉：\n{text}",
        "evolving": "正在后台检查记忆技能 {name!r}。"
        "结果由管理员决定，可用 list_skill_changelog 查看。",
        "evolving_all": "正在后台检查记忆技能。结果由管理员决定，可用 list_skill_changelog 查看。",
        "unchanged": "还没有改动过记忆技能。",
        "change": "{count} 处改动，{order}；时间为 {zone}。",
        "changes": "{count} 处改动，{order}；时间为 {zone}。",
        "file_opened": "{name} 已打开（{count:,} 行）。",
        "file_opened_at": "{name} 已打开，第 {first:,} 至 {last:,} 行，共 {count:,} 行。",
        "files_closed": "已关闭：{names}。",
        "no_match": "没有行匹配 {pattern!r}；查找了 {count:,} 个文件。",
        "file_matches": "{total:,} 行匹配：{files}。",
        "more_files": "另有 {count:,} 个文件",
        "matches_shown": "第 {first:,} 至 {last:,} 处匹配：",
        "no_more_matches": "没有更多匹配。",
        "next_matches": "查看后面的匹配：offset={offset}。",
        "no_part": "文件中没有找到相关内容。可以换些词语。",
        "parts_found": "文件中的 {count} 个部分，最相关的在前，附相关程度（0 到 1）。",
        "sent": "已发送",
        "silent": "代码已运行，没有打印任何内容。",
        "no_text": "（网页没有文字内容。）",
        "late": "`{tool}` 超过了 {seconds:g} 秒。",
        "failed": "`{tool}` 失败：{why}",
        "bug": "`{tool}` 因服务器出错（{kind}）而失败，详情见服务器日志。"
        "请不用它继续，或换个方式再试。",
    },
}

DAYS: Mapping[Language, tuple[str, ...]] = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
}


def some(noun: str, plural: str, count: int) -> str:
    """The name of the words for so many of them."""
    return noun if count == 1 else plural
