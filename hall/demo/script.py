"""Who and what the sample centre consists of: plain facts, no code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hall.demo.slides import Slide

CITY: Final = "鄂尔多斯市"
CENTRE: Final = "鄂尔多斯市党员教育中心"
# A banner or district with its committee; each committee has the branches below.
BANNERS: Final = (
    ("东胜区", "交通街道党工委"),
    ("康巴什区", "哈巴格希街道党工委"),
    ("达拉特旗", "树林召镇党委"),
    ("准格尔旗", "薛家湾镇党委"),
    ("鄂托克前旗", "敖勒召其镇党委"),
    ("鄂托克旗", "乌兰镇党委"),
    ("杭锦旗", "锡尼镇党委"),
    ("乌审旗", "嘎鲁图镇党委"),
    ("伊金霍洛旗", "阿勒腾席热镇党委"),
)
BRANCHES: Final = ("社区党支部", "嘎查村党支部")

NAMES: Final = (
    "白志强", "王秀英", "李建国", "张玉梅", "刘文军", "陈晓东", "赵丽华", "杨振宇", "郭艳霞",
    "高永胜", "苏日娜", "朝鲁", "乌云其木格", "孟克", "萨仁", "额尔德尼", "斯琴", "布和", "图雅",
    "哈斯", "田春生", "侯美玲", "贺志刚", "康素芳", "吕海明", "韩雪", "郝瑞", "任慧", "温学文",
    "折继业", "奇峰", "訾兰", "阿木尔", "娜仁", "宝音", "那顺", "敖登", "呼和", "其木格", "特木尔",
    "丁玉珍", "段小平", "付立新", "葛桂香", "何俊",
)  # fmt: skip
CATEGORIES: Final = ("农牧民", "新党员", "退休党员", "流动党员")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can sign in; ``banner`` and ``category`` are names, ``scope_role`` is there."""

    login: str
    name: str
    role: str
    banner: str | None = None
    category: str | None = None
    scope_role: str | None = None


PEOPLE: Final = (
    Person("jiangshi", "其其格 讲师", "instructor"),
    Person("bianji", "王编辑", "editor"),
    Person("dangyuan", "巴特尔 新党员", "member", "康巴什区", "新党员"),
    Person("tuixiu", "李桂兰 退休党员", "member", "东胜区", "退休党员"),
    Person("qiguan", "赵主任 旗区管理员", "member", "准格尔旗", None, "unit_admin"),
)


@dataclass(frozen=True, slots=True)
class Teacher:
    """A profile of the pool of teachers; appointed from and until, in years from now."""

    name: str
    unit_name: str
    job_title: str
    topics: tuple[str, ...]
    appointed_years: tuple[int, int]


TEACHERS: Final = (
    Teacher("其其格", CENTRE, "副教授", ("党史", "民族团结"), (-1, 2)),
    Teacher("刘文军", "市委党校", "教授", ("党的理论", "党章党规"), (-1, 2)),
    Teacher("苏日娜", "乌审旗委宣传部", "理论宣讲员", ("乡村振兴", "双语宣讲"), (-1, 1)),
    Teacher("白志强", "准格尔旗党员教育中心", "高级讲师", ("基层党建", "支部工作"), (-2, 1)),
    Teacher("郭艳霞", "东胜区党员教育中心", "讲师", ("情景党课", "家风"), (-1, 2)),
    Teacher("额尔德尼", "杭锦旗农牧局", "高级农艺师", ("防沙治沙", "农牧技术"), (-1, 1)),
    Teacher("陈晓东", "市档案史志馆", "副研究馆员", ("地方党史",), (0, 3)),
    Teacher("高永胜", "退休干部", "特聘讲师", ("党史", "革命传统"), (-4, -1)),  # Has ended.
)
# Name, kind, place, how many people.
VENUES: Final = (
    ("草原书屋红色阅读点", "reading", "康巴什区图书馆二层", 60),
    ("治沙示范林现场教学点", "scene", "杭锦旗库布其沙漠东缘", 120),
    ("城川红色教育基地", "scene", "鄂托克前旗城川镇", 300),
    ("社区红色宣讲堂", "talk", "东胜区交通街道", 80),
)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lecture with a generated file; without slides it is sound only."""

    title: str
    teacher: str
    form: str
    tags: tuple[str, ...]
    duration_s: int
    slides: tuple[Slide, ...] = ()
    is_required: bool = True
    has_captions: bool = False


LESSONS: Final = (
    Lesson(
        "开天辟地 中国共产党的创建",
        "陈晓东",
        "视频课",
        ("党史",),
        40,
        (
            Slide("开天辟地", ("1921 年 7 月", "上海 嘉兴南湖", "十三位代表"), "Founding"),
            Slide("为什么是这一年", ("五四运动之后", "马克思主义传播", "工人运动"), "Why then"),
            Slide("红船精神", ("开天辟地 敢为人先", "坚定理想", "立党为公"), "The boat"),
            Slide("想一想", ("初心从何而来", "今天怎样坚守"), "Questions"),
        ),
        has_captions=True,
    ),
    Lesson(
        "转折 遵义会议",
        "其其格",
        "视频课",
        ("党史", "长征"),
        32,
        (
            Slide("生死攸关", ("1935 年 1 月", "贵州遵义", "独立自主解决问题"), "Turning point"),
            Slide("会议之后", ("四渡赤水", "巧渡金沙江", "会师陕北"), "Afterwards"),
            Slide("给支部的启示", ("实事求是", "集体领导"), "Lessons"),
        ),
    ),
    Lesson(
        "草原上的情景党课 一封家书",
        "郭艳霞",
        "情景党课",
        ("情景党课", "家风"),
        28,
        (
            Slide("一封家书", ("人物 老支书与女儿", "时间 1978 年冬", "地点 牧区"), "A letter"),
            Slide("第一幕", ("灯下写信", "说一说当年入党的事"), "Act one"),
            Slide("第二幕", ("女儿回到草原", "接过夜校的黑板"), "Act two"),
        ),
        is_required=False,
    ),
    Lesson("有声党课 夜校的灯光", "苏日娜", "有声党课", ("有声党课",), 30, is_required=False),
)
# An entry of somewhere else: title, address, source, licence.
LINK: Final = (
    "共产党员网 学习专题", "https://www.12371.cn/", "共产党员网", "仅提供链接 版权归原网站",
)  # fmt: skip
CHANNEL: Final = "党史展播台"
