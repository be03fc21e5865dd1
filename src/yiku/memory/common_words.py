"""English for the commonest Chinese words: of these a first sense is seldom the one meant.

Written for this project; CC-CEDICT says the rest. Words that only serve grammar have no gloss.
"""

_ENGLISH = """
-: 的 地 得 了 着 过 吗 呢 吧 啊 呀 嘛 哦 呵 之 所 个 些 位 就 把 以 年 月 日 号 道 一下
wait: 等
I: 我
you: 你 您 你们
he: 他
she: 她
it: 它
we: 我们
they: 他们
is: 是
in: 在 里 中 于
have: 有
no: 没有
not: 不 没
don't: 别
and: 和 与 及 而
with: 跟 同
to: 对 给 向 到
for: 为
from: 从
by: 被
let: 让
also: 也 还 还有
all: 都
very: 很 非常
too: 太
more: 更
most: 最
will: 会
can: 能 可以
want: 要 想 想要
go: 去
come: 来
say: 说
watch: 看
listen: 听
eat: 吃
drink: 喝
do: 做
use: 用
called: 叫
play: 打 玩 弹
live: 住
buy: 买
learn: 学
this: 这 这个
that: 那 那个
which: 哪 哪些 哪个
who: 谁
what: 什么
where: 哪里 哪儿
how: 怎么 怎样 如何
why: 为什么
how many: 多少 几
one: 一
two: 两
person: 人
on: 上
down: 下
after: 后 以后
before: 前 以前
time: 时 次 时候
day: 天
big: 大
small: 小
many: 多
good: 好
but: 但 但是 不过
or: 或
because: 因为
so: 所以 这么 那么
if: 如果
only: 只
once: 曾经 曾
recently: 最近
feel: 觉得 感觉
know: 知道 认识
tell: 告诉
a: 一个
some: 一些
already: 已经
self: 自己
today: 今天
yesterday: 昨天
tomorrow: 明天
photograph: 拍
film: 片
long: 长
okay: 行
heavy: 重
kind: 种
send: 发
bring: 带
show: 场
sentence: 句
part: 部
song: 首 歌
sheet: 张
home: 家
book: 本 书
really: 真 真的
like: 像 喜欢
accompany: 陪
chat: 聊 聊天
give: 送
look for: 找
open: 开
out: 出
up: 起
past: 过去
start: 开始
should: 应该
need: 需要
thing: 东西
matter: 事 事情
place: 地方
somewhat: 有点
a little: 一点
together: 一起
always: 一直
maybe: 可能
then: 然后
actually: 其实
still: 还是
rather: 比较
especially: 特别
like this: 这样
like that: 那样
certainly: 一定
of course: 当然
thanks: 谢谢
nice: 不错
no problem: 没关系
welcome: 不客气
hope: 希望
think: 认为
heard: 听说
suggest: 建议
recommend: 推荐
help: 帮助 帮
try: 试试
look: 看看
see: 看到
watched: 看过
visited: 去过
ate: 吃过
plan: 打算
prepare: 准备
attend: 参加
visit: 参观
travel: 旅游
favorite: 最喜欢
love: 爱
afraid: 害怕
angry: 生气
sad: 难过
happy: 开心 高兴 快乐
tired: 累
busy: 忙
work: 工作 上班
off work: 下班
company: 公司
boss: 老板
colleague: 同事
friend: 朋友
teacher: 老师
student: 学生
mother: 妈妈
father: 爸爸
child: 孩子
son: 儿子
daughter: 女儿
wife: 老婆
husband: 老公
boyfriend: 男朋友
girlfriend: 女朋友
movie: 电影
TV: 电视
music: 音乐
novel: 小说
dish: 菜
meal: 饭
cook: 做饭
water: 水
alcohol: 酒
tea: 茶
coffee: 咖啡
phone: 手机
computer: 电脑
money: 钱
car: 车
house: 房子
dog: 狗
cat: 猫
flower: 花
illness: 病
sick: 生病
hospital: 医院
doctor: 医生
medicine: 药
last week: 上周
next week: 下周
weekend: 周末
morning: 早上 上午
noon: 中午
afternoon: 下午
evening: 晚上
now: 现在
name: 名字
content: 内容
mention: 提到
"""


def _read() -> dict[str, str]:
    table: dict[str, str] = {}
    for line in _ENGLISH.strip().splitlines():
        english, _, words = line.partition(": ")
        table.update(dict.fromkeys(words.split(), "" if english == "-" else english))
    return table


COMMON_WORDS = _read()
"""Simplified word -> gloss; "" where it has none."""
