"""Skills to choose among, as the base files have them."""

from datetime import UTC, datetime
from typing import Any

from yiku.core.ids import SkillId
from yiku.core.skill import MemorySkill, SkillStatus, SkillType
from yiku.core.tenant import LOCAL_ORGANIZATION, LOCAL_USER

EN_ZH = "{% if language == 'zh' %}记录:{% else %}Note:{% endif %}"


def a_skill(name: str, kind: str = "encoding", *keywords: str, **more: Any) -> MemorySkill:
    values: dict[str, Any] = {
        "seq": 1,
        "id": SkillId(f"skill-{name}-{kind}"),
        "organization_id": LOCAL_ORGANIZATION,
        "name": name,
        "version": 1,
        "skill_type": SkillType(kind),
        "status": SkillStatus.ACTIVE,
        "description": {"en": f"What {name} is for", "zh": f"{name} 的用途"},
        "intent_keywords": keywords,
        "prompt_template": "{{ query }}" if kind == "retrieval" else "{{ content }}",
        "is_base": True,
        "positive_count": 0,
        "negative_count": 0,
        "parent_id": None,
        "created_at": datetime(2026, 5, 7, tzinfo=UTC),
        "created_by": LOCAL_USER,
        **more,
    }
    return MemorySkill(**values)
