"""The words themselves: product types, colours and patterns in English, Russian, Chinese and Vietnamese.

Keys are those of ``rendering.shapes.DRAWINGS``, ``rendering.colours.PALETTE`` and ``rendering.patterns.PATTERNS``.
"""

from __future__ import annotations

from indexer.demo.words import (
    ChineseNoun,
    ColourWords,
    EnglishNoun,
    PatternWords,
    RussianGender,
    RussianNoun,
    TypeWords,
    VietnameseNoun,
)


def _en(*words: str, plural_only: bool = False) -> tuple[EnglishNoun, ...]:
    """English nouns given as "one/many", or "one" where an s makes the plural."""
    nouns = []
    for word in words:
        one, _, many = word.partition("/")
        nouns.append(EnglishNoun(one, one if plural_only else many or one + "s", plural_only))
    return tuple(nouns)


def _ru(*words: str) -> tuple[RussianNoun, ...]:
    """Russian nouns given as "gender nominative" or "gender nominative/accusative"."""
    nouns = []
    for word in words:
        gender, _, forms = word.partition(" ")
        nominative, _, accusative = forms.partition("/")
        kind: RussianGender = "m" if gender == "m" else "f" if gender == "f" else "n" if gender == "n" else "pl"
        nouns.append(RussianNoun(nominative, accusative or nominative, kind))
    return tuple(nouns)


def _zh(*words: str, measure: str = "个") -> tuple[ChineseNoun, ...]:
    return tuple(ChineseNoun(word, measure) for word in words)


def _vi(*words: str, classifier: str = "chiếc") -> tuple[VietnameseNoun, ...]:
    return tuple(VietnameseNoun(word, classifier) for word in words)


TYPES: dict[str, TypeWords] = {
    "mug": TypeWords(
        "Home & Garden > Kitchen & Dining > Tableware > Drinkware",
        _en("mug", "cup", "coffee mug"),
        _ru("f кружка/кружку", "f чашка/чашку"),
        _zh("马克杯", "杯子"),
        _vi("cốc", "ly", "cốc uống cà phê"),
    ),
    "teapot": TypeWords(
        "Home & Garden > Kitchen & Dining > Tableware > Teapots",
        _en("teapot", "tea pot"),
        _ru("m чайник", "m заварочный чайник"),
        _zh("茶壶", measure="把"),
        _vi("ấm trà", "ấm pha trà"),
    ),
    "bottle": TypeWords(
        "Home & Garden > Kitchen & Dining > Food Storage > Bottles",
        _en("bottle", "water bottle"),
        _ru("f бутылка/бутылку", "f бутылочка/бутылочку"),
        _zh("瓶子", "水瓶"),
        _vi("chai", "chai nước", classifier="cái"),
    ),
    "bowl": TypeWords(
        "Home & Garden > Kitchen & Dining > Tableware > Bowls",
        _en("bowl", "serving bowl"),
        _ru("f миска/миску", "m салатник"),
        _zh("碗", "大碗"),
        _vi("bát", "tô", classifier="cái"),
    ),
    "plate": TypeWords(
        "Home & Garden > Kitchen & Dining > Tableware > Plates",
        _en("plate", "dinner plate"),
        _ru("f тарелка/тарелку", "n блюдо"),
        _zh("盘子", "餐盘"),
        _vi("đĩa", "đĩa ăn", classifier="cái"),
    ),
    "pan": TypeWords(
        "Home & Garden > Kitchen & Dining > Cookware > Frying Pans",
        _en("frying pan", "pan", "skillet"),
        _ru("f сковорода/сковороду", "f сковородка/сковородку"),
        _zh("平底锅", "煎锅"),
        _vi("chảo", "chảo rán", classifier="cái"),
    ),
    "bucket": TypeWords(
        "Home & Garden > Household Supplies > Buckets",
        _en("bucket", "pail"),
        _ru("n ведро", "n ведёрко"),
        _zh("水桶", "桶"),
        _vi("xô", "xô nước", classifier="cái"),
    ),
    "vase": TypeWords(
        "Home & Garden > Decor > Vases",
        _en("vase", "flower vase"),
        _ru("f ваза/вазу", "f вазочка/вазочку"),
        _zh("花瓶"),
        _vi("lọ hoa", "bình hoa"),
    ),
    "lamp": TypeWords(
        "Home & Garden > Lighting > Table Lamps",
        _en("lamp", "table lamp"),
        _ru("f лампа/лампу", "f настольная лампа/настольную лампу"),
        _zh("台灯", "灯", measure="盏"),
        _vi("đèn bàn", "đèn"),
    ),
    "candle": TypeWords(
        "Home & Garden > Decor > Candles",
        _en("candle", "pillar candle"),
        _ru("f свеча/свечу", "f свечка/свечку"),
        _zh("蜡烛", measure="支"),
        _vi("nến", "cây nến", classifier=""),
    ),
    "clock": TypeWords(
        "Home & Garden > Decor > Clocks > Alarm Clocks",
        _en("alarm clock", "clock"),
        _ru("m будильник", "pl часы"),
        _zh("闹钟", "时钟"),
        _vi("đồng hồ báo thức", "đồng hồ"),
    ),
    "cushion": TypeWords(
        "Home & Garden > Decor > Cushions",
        _en("cushion", "pillow", "throw pillow"),
        _ru("f подушка/подушку", "f декоративная подушка/декоративную подушку"),
        _zh("靠垫", "抱枕"),
        _vi("gối", "gối tựa", classifier="cái"),
    ),
    "box": TypeWords(
        "Arts & Entertainment > Party Supplies > Gift Boxes",
        _en("gift box/gift boxes", "present", "box/boxes"),
        _ru("f подарочная коробка/подарочную коробку", "f коробка/коробку"),
        _zh("礼盒", "盒子"),
        _vi("hộp quà", "hộp"),
    ),
    "chair": TypeWords(
        "Furniture > Chairs > Dining Chairs",
        _en("chair", "dining chair"),
        _ru("m стул", "m обеденный стул"),
        _zh("椅子", "餐椅", measure="把"),
        _vi("ghế tựa", "ghế ăn"),
    ),
    "table": TypeWords(
        "Furniture > Tables",
        _en("table", "dining table"),
        _ru("m стол", "m столик"),
        _zh("桌子", "餐桌", measure="张"),
        _vi("bàn", "bàn ăn"),
    ),
    "stool": TypeWords(
        "Furniture > Chairs > Stools",
        _en("stool", "bar stool"),
        _ru("m табурет", "f табуретка/табуретку"),
        _zh("凳子", "圆凳"),
        _vi("ghế đẩu", "ghế tròn"),
    ),
    "armchair": TypeWords(
        "Furniture > Chairs > Armchairs",
        _en("armchair", "easy chair"),
        _ru("n кресло", "n мягкое кресло"),
        _zh("扶手椅", "单人沙发", measure="把"),
        _vi("ghế bành", "ghế sofa đơn"),
    ),
    "backpack": TypeWords(
        "Luggage & Bags > Backpacks",
        _en("backpack", "rucksack"),
        _ru("m рюкзак", "m рюкзачок"),
        _zh("双肩包", "背包"),
        _vi("ba lô", "cặp ba lô"),
    ),
    "handbag": TypeWords(
        "Luggage & Bags > Handbags",
        _en("handbag", "purse"),
        _ru("f сумка/сумку", "f сумочка/сумочку"),
        _zh("手提包", "手袋"),
        _vi("túi xách", "túi xách tay"),
    ),
    "suitcase": TypeWords(
        "Luggage & Bags > Suitcases",
        _en("suitcase", "travel case"),
        _ru("m чемодан", "m дорожный чемодан"),
        _zh("行李箱", "旅行箱"),
        _vi("vali", "vali kéo"),
    ),
    "hat": TypeWords(
        "Apparel & Accessories > Hats",
        _en("hat", "wide brim hat"),
        _ru("f шляпа/шляпу", "f шляпка/шляпку"),
        _zh("宽檐帽", "礼帽", measure="顶"),
        _vi("mũ rộng vành", "nón rộng vành"),
    ),
    "cap": TypeWords(
        "Apparel & Accessories > Hats > Caps",
        _en("cap", "baseball cap"),
        _ru("f кепка/кепку", "f бейсболка/бейсболку"),
        _zh("棒球帽", "鸭舌帽", measure="顶"),
        _vi("mũ lưỡi trai", "nón lưỡi trai"),
    ),
    "t-shirt": TypeWords(
        "Apparel & Accessories > Clothing > T-Shirts",
        _en("t-shirt", "tee", "tee shirt"),
        _ru("f футболка/футболку"),
        _zh("T恤", "T恤衫", measure="件"),
        _vi("áo thun", "áo phông"),
    ),
    "dress": TypeWords(
        "Apparel & Accessories > Clothing > Dresses",
        _en("dress/dresses", "summer dress/summer dresses"),
        _ru("n платье", "n летнее платье"),
        _zh("连衣裙", "裙子", measure="条"),
        _vi("váy", "váy liền"),
    ),
    "trousers": TypeWords(
        "Apparel & Accessories > Clothing > Trousers",
        _en("trousers", "pants", plural_only=True),
        _ru("pl брюки", "pl штаны"),
        _zh("裤子", "长裤", measure="条"),
        _vi("quần", "quần dài"),
    ),
    "boot": TypeWords(
        "Apparel & Accessories > Shoes > Boots",
        _en("boot", "rain boot"),
        _ru("m сапог", "pl сапоги"),
        _zh("靴子", "长靴", measure="双"),
        _vi("ủng", "giày bốt"),
    ),
    "sneaker": TypeWords(
        "Apparel & Accessories > Shoes > Sneakers",
        _en("sneaker", "running shoe", "trainer"),
        _ru("pl кроссовки", "m кроссовок"),
        _zh("运动鞋", "球鞋", measure="双"),
        _vi("giày thể thao", "giày sneaker"),
    ),
    "umbrella": TypeWords(
        "Apparel & Accessories > Umbrellas",
        _en("umbrella"),
        _ru("m зонт", "m зонтик"),
        _zh("雨伞", "伞", measure="把"),
        _vi("ô che mưa", "dù"),
    ),
    "ball": TypeWords(
        "Toys & Games > Balls",
        _en("ball", "toy ball"),
        _ru("m мяч", "m мячик"),
        _zh("球", "皮球"),
        _vi("bóng", "quả bóng", classifier=""),
    ),
    "guitar": TypeWords(
        "Arts & Entertainment > Musical Instruments > Guitars",
        _en("guitar", "acoustic guitar"),
        _ru("f гитара/гитару", "f акустическая гитара/акустическую гитару"),
        _zh("吉他", "木吉他", measure="把"),
        _vi("đàn ghi ta", "đàn guitar", classifier="cây"),
    ),
    "headphones": TypeWords(
        "Electronics > Audio > Headphones",
        _en("headphones", "over-ear headphones", plural_only=True),
        _ru("pl наушники", "pl полноразмерные наушники"),
        _zh("耳机", "头戴式耳机", measure="副"),
        _vi("tai nghe", "tai nghe chụp tai"),
    ),
    "toy car": TypeWords(
        "Toys & Games > Toy Cars",
        _en("toy car", "toy automobile"),
        _ru("f машинка/машинку", "f игрушечная машина/игрушечную машину"),
        _zh("玩具车", "玩具汽车", measure="辆"),
        _vi("ô tô đồ chơi", "xe đồ chơi"),
    ),
}

COLOURS: dict[str, ColourWords] = {
    "red": ColourWords(("red",), "красн", False, ("红色", "大红色"), "红", ("đỏ",)),
    "orange": ColourWords(("orange",), "оранжев", False, ("橙色", "橘色"), "橙", ("cam", "da cam")),
    "yellow": ColourWords(("yellow",), "жёлт", False, ("黄色",), "黄", ("vàng",)),
    "green": ColourWords(("green",), "зелён", False, ("绿色",), "绿", ("xanh lá", "xanh lá cây", "xanh lục")),
    "turquoise": ColourWords(
        ("turquoise", "teal"), "бирюзов", False, ("青色", "青绿色"), "青", ("xanh ngọc", "ngọc lam")
    ),
    "blue": ColourWords(("blue",), "син", True, ("蓝色",), "蓝", ("xanh dương", "xanh lam", "xanh nước biển")),
    "purple": ColourWords(("purple", "violet"), "фиолетов", False, ("紫色",), "紫", ("tím",)),
    "pink": ColourWords(("pink",), "розов", False, ("粉色", "粉红色"), "粉", ("hồng",)),
    "brown": ColourWords(("brown",), "коричнев", False, ("棕色", "褐色"), "棕", ("nâu",)),
    "black": ColourWords(("black",), "чёрн", False, ("黑色",), "黑", ("đen",)),
    "white": ColourWords(("white",), "бел", False, ("白色",), "白", ("trắng",)),
    "grey": ColourWords(("grey", "gray"), "сер", False, ("灰色",), "灰", ("xám", "ghi")),
}

PATTERNS: dict[str, PatternWords] = {
    "plain": PatternWords(
        ("plain", "solid"), (), "однотонн", ("без рисунка", "без узора"), (), ("纯色", "素色"), ("trơn", "một màu")
    ),
    "striped": PatternWords(
        ("striped", "stripy"),
        ("stripes",),
        "полосат",
        ("в полоску", "с полосками"),
        ("в {acc_f} полоску", "с {ins_pl} полосками"),
        ("条纹", "条纹图案"),
        ("kẻ sọc", "sọc"),
    ),
    "dotted": PatternWords(
        ("polka dot", "dotted", "spotted"),
        ("dots", "polka dots", "spots"),
        "",
        ("в горошек", "с точками"),
        ("в {acc_m} горошек", "с {ins_pl} точками"),
        ("圆点", "波点"),
        ("chấm bi", "chấm tròn"),
    ),
    "checked": PatternWords(
        ("checked", "checkered", "plaid"),
        ("checks", "squares"),
        "клетчат",
        ("в клетку", "в клеточку"),
        ("в {acc_f} клетку", "в {acc_f} клеточку"),
        ("格子", "方格"),
        ("kẻ ca rô", "ca rô"),
    ),
    "zigzag": PatternWords(
        ("zigzag", "chevron"),
        ("zigzags", "zigzag lines"),
        "",
        ("с зигзагами", "с узором зигзаг"),
        ("с {ins_pl} зигзагами", "с {ins_m} зигзагом"),
        ("锯齿纹", "之字纹"),
        ("zíc zắc", "hoa văn zíc zắc"),
    ),
    "floral": PatternWords(
        ("floral", "flowered", "flowery"),
        ("flowers", "blossoms"),
        "",
        ("в цветочек", "с цветами"),
        ("в {acc_m} цветочек", "с {ins_pl} цветами"),
        ("碎花", "花朵"),
        ("in hoa", "họa tiết hoa"),
    ),
}
