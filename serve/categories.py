"""A shop's own category to one of the ten that the models know, or to why there is no advice on such things.

Categories come in English, German or Chinese, as a word ("Sommerkleid"), a path ("Damen > Kleider > Mini") or a number of
Google's product taxonomy. In all three languages the word that says what a thing is stands last ("dress shirt",
"Hemdblusenkleid", "衬衫裙"), so of the words that are known the one that ends last decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from tryon_core.batch import CATEGORIES
from tryon_core.folding import fold

_WORDS: dict[str, tuple[str, str, str]] = {
    "t-shirt": (
        "t-shirt|tshirt|tee|t shirt|top|tops|tank|tank top|tank tops|camisole|polo|polos|polo shirt|singlet|crop top",
        "tshirt t-shirt oberteil poloshirt trägertop unterhemd tanktop",
        "t恤 短袖 背心 上衣 吊带 polo衫",
    ),
    "longsleeve": (
        "longsleeve|long sleeve|long-sleeve|sweater|sweatshirt|hoodie|hoody|pullover|jumper|knitwear|turtleneck|sweat",
        "langarmshirt longsleeve pullover pulli sweatshirt strickware kapuzenpullover rollkragen",
        "长袖 毛衣 卫衣 针织衫 套头衫",
    ),
    "shirt": (
        "shirt|shirts|blouse|button-down|button down|tunic|flannel",
        "hemd bluse tunika",
        "衬衫 衬衣",
    ),
    "dress": (
        "dress|dresses|gown|frock|jumpsuit|romper|playsuit|sundress|maxi|one-piece|one-pieces|cheongsam",
        "kleid overall jumpsuit einteiler",
        "连衣裙 衬衫裙 礼服 旗袍 连体裤 连衣裤",
    ),
    "outwear": (
        "outerwear|outwear|jacket|coat|blazer|parka|cardigan|anorak|windbreaker|raincoat|trench|vest|gilet|down|poncho|cape",
        "jacke mantel mäntel blazer sakko weste parka anorak strickjacke cardigan",
        "外套 夹克 大衣 风衣 羽绒服 西装外套 开衫 棉服 马甲",
    ),
    "pants": (
        "pants|pant|trouser|trousers|jeans|jean|leggings|legging|chinos|chino|joggers|jogger|slacks|sweatpants|bottoms",
        "hose jeans leggings chino jogger",
        "裤子 长裤 牛仔裤 休闲裤 打底裤 运动裤 西裤 裤",
    ),
    "shorts": ("shorts|bermudas|hot pants|kurze hose|kurze hosen", "shorts bermuda", "短裤 热裤"),
    "skirt": ("skirt|miniskirt|skort", "rock röcke", "半身裙 短裙 裙子 裙裤"),
    "hat": ("hat|cap|beanie|beret|fedora|headwear", "hut hüte mütze kappe", "帽子 帽"),
    "shoes": (
        "shoes|shoe|sneaker|boot|sandal|heel|loafer|slipper|trainer|footwear|pump|flats|mules|espadrille|oxfords",
        "schuh stiefel sandale sneaker stiefelette pantoffel ballerina pumps",
        "鞋子 鞋 靴子 靴 凉鞋",
    ),
}
_WITHOUT: dict[str, tuple[str, str, str]] = {
    "jewellery": (
        "jewelry|jewellery|earring|necklace|bracelet|ring|ringe|brooch|pendant|anklet|charm",
        "schmuck ohrring fingerring halskette armband armbänder brosche",
        "首饰 耳环 项链 手链 戒指 珠宝 耳钉",
    ),
    "watches": ("watch|uhr|uhren", "armbanduhr", "手表"),
    "bags": (
        "bag|handbag|backpack|purse|wallet|tote|clutch|luggage|suitcase",
        "tasche rucksack geldbeutel geldbörse koffer portemonnaie",
        "包 手提包 背包 钱包 行李箱",
    ),
    "accessories": (
        "accessory|accessories|belt|scarf|scarves|shawl|tie|necktie|glove|mittens|sunglasses|glasses|umbrella|hairband",
        "gürtel schal tuch tücher krawatte handschuh sonnenbrille brille regenschirm accessoire",
        "腰带 皮带 围巾 领带 手套 太阳镜 眼镜 雨伞 配饰",
    ),
    "underwear and hosiery": (
        "underwear|lingerie|bra|bh|bhs|panties|panty|briefs|boxers|socks|sock|tights|stockings|hosiery|thong",
        "unterwäsche wäsche büstenhalter slip unterhose socke strumpf strumpfhose boxershorts",
        "内衣 内裤 文胸 袜子 袜 丝袜 连裤袜",
    ),
    "swimwear": (
        "swimwear|bikini|swimsuit|swim|tankini|boardshorts",
        "bademode bikini badeanzug badehose",
        "泳衣 泳裤 比基尼",
    ),
    "furniture and household goods": (
        "sofa|couch|furniture|table|lamp|chair|bed|pillow|curtain|rug|mug|bedding|armchair|desk|towel",
        "sofa möbel tisch lampe stuhl bett kissen vorhang teppich tasse sessel schrank handtuch",
        "沙发 家具 桌子 灯 椅子 床 枕头 窗帘 地毯",
    ),
    "cosmetics": (
        "cosmetics|perfume|makeup|lipstick|fragrance|skincare",
        "kosmetik parfum parfüm lippenstift",
        "化妆品 香水 口红",
    ),
    "electronics and toys": (
        "phone|electronics|toy|toys|headphones|laptop|book|books",
        "handy elektronik spielzeug kopfhörer buch bücher",
        "手机 电子产品 玩具 耳机 书",
    ),
}
"""What is no garment whose size the models advise on."""
_TAXONOMY = {
    "1604": "clothing",
    "166": "apparel",
    "212": "shirts",
    "204": "pants",
    "207": "shorts",
    "1581": "skirt",
    "2271": "dress",
    "203": "outerwear",
    "5598": "jacket",
    "187": "shoes",
    "173": "hat",
    "213": "underwear",
    "211": "swimwear",
    "167": "accessories",
    "188": "jewelry",
    "194": "earring",
    "196": "necklace",
    "200": "ring",
    "191": "bracelet",
    "201": "watch",
    "3032": "handbag",
    "6551": "bag",
    "436": "furniture",
    "460": "sofa",
}
"""Numbers of Google's product taxonomy to words above; others are not looked up."""
_CUT = re.compile(r"\s(?:for|with|mit|für|from|aus|in|by|von)\s.*")
_STEPS = re.compile(r"\s*(?:[>|»/›]|\s-\s)\s*")


@dataclass(frozen=True)
class Category:
    """What a category is taken for."""

    mapped: str | None
    """One of `batch.CATEGORIES`; None where it is none of them."""
    without: str | None = None
    """The kind of thing, in English, on which there is no advice."""
    told: str = ""
    """That step of a path in which it was found."""

    @property
    def reason(self) -> str | None:
        """Why there is no advice, or no mapped category; a sentence for people."""
        if self.without:
            return f"there is no advice on sizes of {self.without}"
        if self.mapped is None and self.told:
            return "the category is not known here: the garment is judged by its words, its picture and its chart"
        return None


@lru_cache(maxsize=4096)
def category_of(given: str | None) -> Category:
    """Return what a shop's own category is taken for."""
    steps = [step for step in _STEPS.split((given or "").strip()) if step]
    for step in reversed(steps):
        word = _TAXONOMY.get(step, step)
        found = _last(_CUT.sub("", fold(word)))
        if found in CATEGORIES:
            return Category(found, told=word)
        if found is not None:
            return Category(None, found, word)
    return Category(None, told=steps[-1] if steps else "")


def worded(given: str | None) -> str:
    """Return a category as the models read it; empty where there is none.

    English stays as it is, since fitting reads a shop's table so; before what is said otherwise stands the models' own word.
    """
    category = category_of(given)
    if not given or category.mapped is None or _ENGLISH.search(fold(given)):
        return given or ""
    return f"{category.mapped} {category.told}"


def _last(text: str) -> str | None:
    """Return the kind whose word ends last in a folded text, of words that end together the longest one's."""
    ends = [(m.end(), len(m["stem"] or m[0]), kind) for kind, words in _PATTERNS for m in words.finditer(text)]
    return max(ends)[2] if ends else None


def _pattern(english: str, german: str, chinese: str) -> re.Pattern[str]:
    """Return what finds English words as such, German ones at the end of longer ones, Chinese ones anywhere."""
    words = "|".join(map(re.escape, sorted(map(fold, english.split("|")), key=len, reverse=True)))
    stems = "|".join(map(re.escape, sorted(map(fold, german.split()), key=len, reverse=True)))
    signs = "|".join(map(re.escape, sorted(map(fold, chinese.split()), key=len, reverse=True)))
    return re.compile(
        rf"(?<![^\W_])(?:{words})(?:e?s)?(?![^\W_])|[^\W\d_]*?(?P<stem>{stems})(?:er|en|e|n|s)?(?![^\W_])|{signs}"
    )


_ENGLISH = re.compile(
    rf"(?<![^\W_])(?:{'|'.join(re.escape(fold(word)) for english, _, _ in _WORDS.values() for word in english.split('|'))})"
    r"(?:e?s)?(?![^\W_])"
)
_PATTERNS = [(kind, _pattern(*words)) for table in (_WORDS, _WITHOUT) for kind, words in table.items()]
assert set(_WORDS) == set(CATEGORIES)
