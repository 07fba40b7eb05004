"""The words of clothes in English and Chinese, for shoppers and shops alike."""

from __future__ import annotations

CHINESE = {
    "black": "黑色",
    "white": "白色",
    "grey": "灰色",
    "navy": "藏青色",
    "blue": "蓝色",
    "green": "绿色",
    "red": "红色",
}
CHINESE |= {"pink": "粉色", "yellow": "黄色", "orange": "橙色", "purple": "紫色", "brown": "棕色"}
CHINESE |= {"plain": "纯色", "striped": "条纹", "checked": "格子", "dotted": "波点", "floral": "碎花"}
CHINESE |= {"slim": "修身", "regular": "合身", "loose": "宽松", "women": "女", "men": "男"}
CHINESE |= {"t-shirt": "T恤", "longsleeve": "长袖", "shirt": "衬衫", "dress": "连衣裙", "outwear": "外套"}
CHINESE |= {"pants": "裤子", "shorts": "短裤", "skirt": "半身裙"}
CHINESE |= {"cotton": "棉", "linen": "亚麻", "viscose": "粘纤", "polyester": "聚酯纤维", "wool": "羊毛", "acrylic": "腈纶"}
CHINESE |= {"woven": "梭织", "denim": "牛仔", "jersey": "针织汗布", "knit": "针织", "rib": "罗纹"}
"""The Chinese word of every colour, pattern, cut, category, department, fibre and weave."""

PLURALS = {"t-shirt": "t-shirts", "longsleeve": "long sleeve tops", "shirt": "shirts", "dress": "dresses"}
PLURALS |= {"outwear": "jackets", "pants": "pants", "shorts": "shorts", "skirt": "skirts"}
"""What shoppers call a category."""

NOUNS: dict[str, tuple[str, ...]] = {
    "t-shirt": ("T-Shirt", "Tee", "Crew Neck Tee"),
    "longsleeve": ("Long Sleeve Top", "Longsleeve", "Henley"),
    "shirt": ("Shirt", "Button-Up Shirt", "Oxford Shirt"),
    "dress": ("Dress", "A-Line Dress", "Summer Dress"),
    "outwear": ("Jacket", "Coat", "Blazer"),
    "pants": ("Pants", "Trousers", "Chinos"),
    "shorts": ("Shorts", "Bermuda Shorts"),
    "skirt": ("Skirt", "Midi Skirt"),
}
"""What shops call it."""

CUT_WORDS: dict[str, tuple[str, ...]] = {
    "slim": ("slim fit", "fitted"),
    "regular": ("regular fit", "classic cut"),
    "loose": ("loose fit", "relaxed"),
}
