"""Words that say nothing about a product, in the seven languages.

They are left out of queries only, and only beside other words: a brand may be called "The Who". Compiled for this
program: articles, pronouns, prepositions and conjunctions, and what shoppers say around the thing they want.
Words that name a size, colour or product in another of the languages are not among them.
"""

from __future__ import annotations

import re

_ENGLISH = (
    "a an the this that these those some any my your his her its our their i me we you he she it they is are was be "
    "been am does did can could would should will may and or but not no nor if so as at by for from in into of off on "
    "onto out over to up with without than then too very just there here what which who where when how please show "
    "find get give buy want wanted need looking look search searching like something someone thing"
)
_RUSSIAN = (
    "и в во на с со к ко у о об обо от до по за из изо под над при про для без через между или но а да же ли бы не ни "
    "это этот эта эти эту то тот та те как какой какая какое какие что чтобы кто где когда если так также тоже я мне "
    "меня мой моя мое мои мою ты вы вам он она оно они его ее их мы нам нас себя себе свой хочу хотел хотела хотелось "
    "хотелось бы нужен нужна нужно нужны надо ищу искать найти найди найдите покажи покажите купить куплю покупка "
    "заказать подскажите посоветуйте пожалуйста есть быть очень такой такая такое такие такую который которая которое "
    "которые какой-нибудь"
)
_GERMAN = (
    "der die das den dem des ein eine einen einem einer eines und oder aber nicht kein keine keinen mit ohne für fuer "
    "von vom zu zum zur in im ins an am ans auf aus bei beim nach über ueber unter um durch als wie ist sind war sein "
    "bin hat haben ich mich mir mein meine meinen du dich dir dein er sie es wir uns unser ihr ihre sich so auch nur "
    "noch sehr bitte suche suchen möchte moechte will brauche kaufen kauf zeige zeig finde etwas dieser diese dieses "
    "welche welcher was wo"
)
_FRENCH = (
    "le la les un une des du de au aux et ou mais ne pas ni que qu qui quoi dont où à en dans sur sous avec sans pour "
    "par chez entre vers est sont être ai as avoir je me moi tu te il elle on nous vous ils elles mon ma mes ton ta "
    "tes son sa ses notre nos votre vos leur leurs ce cet cette ces se si très aussi cherche chercher veux voudrais "
    "besoin acheter montre montrez trouver svp quel quelle quels quelles"
)
_SPANISH = (
    "el la los las lo un una unos unas de del al y e o u pero no ni que qué quien cual cuál donde en con sin por para "
    "sobre entre hasta desde a es son ser está estar hay yo me mi mis mí tú te tu tus él ella ello nos nosotros "
    "vosotros ellos ellas su sus se si sí muy más también este esta estos estas ese esa eso quiero quisiera busco "
    "buscar necesito comprar compra muéstrame encontrar algo como cómo favor"
)
_VIETNAMESE = (
    "và hoặc hay của cho với không có là thì mà ở tại trong ngoài trên dưới từ đến bằng để về như các những một cái "
    "chiếc con tôi mình em anh chị bạn này kia đó ấy nào gì rất cũng được bị muốn cần mua tìm kiếm xem hãy vui lòng "
    "ơi nhé ạ toi muon kiem chiec nhung khong duoc"
)
_CHINESE = (
    "我想要 我想买 我要买 我要 我想 想买 想要 需要 购买 请给我 给我 帮我找 帮我 请问 寻找 有没有 有吗 "
    "一个 一件 一条 一双 一只 一款 一把 一台 一张 一顶 一辆 一种 那种 这种 这个 那个 的 了 吗 呢 "
    "吧 与 及 或 我 你 请 买 找 带有 带着"
)

STOP_WORDS: frozenset[str] = frozenset(
    " ".join((_ENGLISH, _RUSSIAN, _GERMAN, _FRENCH, _SPANISH, _VIETNAMESE)).casefold().split()
)
UNSPACED_STOP_WORDS = re.compile("|".join(sorted(_CHINESE.split(), key=len, reverse=True)))
"""Matches what Chinese queries say around the thing, longest first."""
