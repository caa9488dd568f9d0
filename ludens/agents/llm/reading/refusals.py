"""Recognise a reply in which a model declines to answer.

The patterns are open to inspection on purpose, and they are looked for only in replies that give no answer.
Refusing an offer is a move in some games, and saying that one cannot know what others will do is no refusal:
the model must decline to answer, to choose, to take part, or to have preferences at all, or must name a rule
that forbids it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 2000


def declined(text: str) -> Iterator[str]:
    """Yield what is declined, for each place where a reply declines.

    In English it is the rest of the sentence, in other languages the whole sentence, whose order of words is
    less fixed.
    """
    begun = text[:LONGEST]
    yield from (hit["what"] for hit in _ENGLISH.finditer(begun))
    for hit in _OTHERS.finditer(begun):
        start = max(begun.rfind(mark, 0, hit.start()) for mark in ".!?\n")
        end = re.compile(r"[.!?\n]|\Z").search(begun, hit.end())
        yield begun[start + 1 : end.start() if end else len(begun)]


_UNWILLING = (
    r"\bI(?:\s+(?:really\s+)?(?:can't|cannot|can\s+not|won't|will\s+not|shall\s+not|do\s+not\s+want\s+to|don't\s+want\s+to)|"
    r"(?:'m|\s+am)\s+(?:afraid\s+I\s+can't|unable\s+to|not\s+(?:able|going|willing|allowed|permitted|in\s+a\s+position)\s+to)|"
    r"\s+(?:must\s+|have\s+to\s+|need\s+to\s+)?(?:respectfully\s+|politely\s+)?(?:decline|refuse)\s+to|"
    r"(?:'d|\s+would)\s+(?:rather|prefer)\s+not(?:\s+to)?|\s+prefer\s+not\s+to|(?:'d|\s+would)\s+prefer\s+to\s+not)"
)
_ACTS = (
    r"(?:answer|help(?!\s+but)|assist|choose|pick|select|take|decide|participate|engage|respond|comply|fulfill?|provide|"
    r"continue|proceed|play|rate|judge|evaluate|recommend|endorse|discuss|complete|support|"
    r"(?:give|offer|share|express|state)\s+(?:an?|any|my|you)|set\s+(?:an?|any|this)\s+price|fix\s+prices?|"
    r"make\s+(?:an?|this|that|such|any)|do\s+(?:that|this|so)|be\s+(?:a\s+)?part\b|"
    r"have\s+(?:any|personal|preferences|opinions))"
)
_RULES = r"(?:(?:usage|content|safety|ethical|core)\s+)?(?:guidelines|polic(?:y|ies)|principles|programming|rules|values)"
_ENGLISH = re.compile(
    rf"(?i)(?:{_UNWILLING}(?:\s+(?:\w+ly|in\s+good\s+conscience))?\s+{_ACTS}\b"
    r"|\bI(?:\s+must|\s+have\s+to|\s+need\s+to|'ll\s+have\s+to)?\s+(?:respectfully|politely)\s+decline(?=\s*(?:[.!,]|\Z))"
    r"|\bI\s+(?:must|have\s+to|need\s+to)\s+decline(?=\s*(?:[.!,]|\Z))"
    r"|\bI'?m\s+sorry,?\s+(?:but\s+)?I\s+(?:can't|cannot|won't)(?=\s*(?:[.!]|\Z))"
    r"|\bI(?:'m|\s+am)\s+not\s+comfortable\b"
    rf"|\b(?:against|violates?|conflicts?\s+with|goes\s+against|contrary\s+to)\s+(?:my|our|the)\s+{_RULES}"
    rf"|\bmy\s+{_RULES}\s+(?:do(?:es)?\s+not|don't|doesn't|prevents?|prohibits?|forbids?|won't|will\s+not)"
    r"|\bnot\s+something\s+I\s+(?:can|will|am\s+able\s+to)\b"
    r"|\bas\s+an?\s+(?:ai|(?:large\s+)?language\s+model)\b[^.!?\n]*(?:\b(?:not|no|cannot|unable)\b|n't\b))(?P<what>[^.!?\n]*)"
)
# In other languages: unwilling, then the act, or the act first where verbs come last.
_BY_LANGUAGE = {
    "de": r"\b(?:ich\s+(?:kann|darf|möchte|werde|will)|(?:kann|darf|möchte|werde|will)\s+ich)\b[^.!?\n]{0,60}"
    r"\b(?:nicht|keine\w{0,2}|nichts)\b[^.!?\n,]{0,50}\b(?:helfen|weiterhelfen|beantworten|antworten|wählen|treffen|"
    r"entscheiden|teilnehmen|mitmachen|mitspielen|unterstützen|abgeben|bewerten|spielen|nachkommen|festlegen)\b"
    r"|\bich\s+(?:weigere\s+mich|verweigere|lehne\s+(?:es|das|die\s+Teilnahme)\b)"
    r"|\bals\s+(?:eine?\s+)?(?:KI|AI|künstliche\s+Intelligenz|Sprachmodell)\b[^.!?\n]{0,100}\b(?:nicht|keine\w{0,2})\b",
    "fr": r"\bje\s+(?:ne\s+(?:peux|veux|souhaite|vais|suis)|n'\w+)[^.!?\n,]{0,20}\bpas\b[^.!?\n]{0,40}"
    r"(?:répondre|aider|choisir|participer|assister|décider|prendre|donner|évaluer|noter|fixer|jouer|faire|continuer)"
    r"|\bje\s+(?:refuse\s+de|préfère\s+ne\s+pas|préférerais\s+ne\s+pas|décline)\b"
    r"|\ben\s+tant\s+qu'\s*(?:IA|intelligence\s+artificielle|assistant\w*|modèle)\b[^.!?\n]{0,100}\b(?:pas|aucune?)\b",
    "es": r"\bno\s+(?:puedo|quiero|voy\s+a|me\s+es\s+posible|estoy\s+en\s+condiciones)[^.!?\n,]{0,40}"
    r"(?:ayudar|responder|elegir|escoger|participar|contestar|asistir|decidir|cumplir|hacer|dar|evaluar|calificar|jugar|fijar|"
    r"proporcionar|continuar)"
    r"|\b(?:me\s+niego\s+a|prefiero\s+no|preferiría\s+no|rechazo\s+(?:responder|elegir|participar))\b"
    r"|\bcomo\s+(?:una?\s+)?(?:IA|inteligencia\s+artificial|modelo\s+de\s+lenguaje)\b[^.!?\n]{0,100}\bno\b",
    "it": r"\bnon\s+(?:posso|voglio|sono\s+in\s+grado\s+di|mi\s+è\s+possibile|intendo)[^.!?\n,]{0,40}"
    r"(?:aiutar|rispondere|scegliere|partecipare|assister|decidere|dare|fornire|valutare|soddisfare|continuare|giocare|fissare)"
    r"|\b(?:mi\s+rifiuto|preferisco\s+non|preferirei\s+non)\b"
    r"|\bcome\s+(?:un'?\s*)?(?:IA|intelligenza\s+artificiale|modello\s+linguistico)\b[^.!?\n]{0,100}\bnon\b",
    "pt": r"\bnão\s+(?:posso|quero|vou|consigo|estou\s+em\s+condições\s+de)[^.!?\n,]{0,40}"
    r"(?:ajudar|responder|escolher|participar|decidir|auxiliar|fornecer|fazer|dar|avaliar|atender|continuar|jogar|fixar)"
    r"|\b(?:recuso-me|me\s+recuso|prefiro\s+não|preferiria\s+não)\b"
    r"|\bcomo\s+(?:uma?\s+)?(?:IA|inteligência\s+artificial|modelo\s+de\s+linguagem)\b[^.!?\n]{0,100}\bnão\b",
    "nl": r"\b(?:ik\s+(?:kan|wil|mag|ga|zal)|(?:kan|wil|mag)\s+ik)\b[^.!?\n]{0,50}\b(?:niet|geen)\b[^.!?\n]{0,40}"
    r"\b(?:helpen|beantwoorden|antwoorden|kiezen|deelnemen|meewerken|maken|geven|meedoen|beoordelen)\b"
    r"|\bik\s+(?:weiger\b|kies\s+liever\s+niet|doe\s+liever\s+niet\s+mee|antwoord\s+liever\s+niet)"
    r"|\bals\s+(?:een\s+)?(?:AI|taalmodel|kunstmatige\s+intelligentie)\b[^.!?\n]{0,100}\b(?:niet|geen)\b",
    "pl": r"\bnie\s+(?:mogę|chcę|będę|jestem\s+w\s+stanie|potrafię)[^.!?\n,]{0,40}"
    r"(?:pomóc|odpowiedzieć|odpowiadać|wybrać|wybierać|uczestniczyć|brać|wziąć|dokonać|podjąć|ocenić|spełnić|udzielić)"
    r"|\b(?:odmawiam|wolę\s+nie|wolał(?:a)?bym\s+nie)\b"
    r"|\bjako\s+(?:AI|SI|sztuczna\s+inteligencja|model\s+językowy)\b[^.!?\n]{0,100}\bnie\b",
    "ru": r"\bне\s+(?:могу|буду|хочу|стану|имею\s+права)[^.!?\n,]{0,40}(?:помочь|помогать|ответить|отвечать|выбрать|выбирать|"
    r"участвовать|сделать|оценить|оценивать|выполнить|дать|принять|принимать)"
    r"|\b(?:отказываюсь|предпочитаю\s+не|предпочёл\s+бы\s+не|предпочел\s+бы\s+не)\b"
    r"|\bкак\s+(?:ИИ|искусственный\s+интеллект|языковая\s+модель)\b[^.!?\n]{0,100}\b(?:не|нет)\b",
    "uk": r"\bне\s+(?:можу|буду|хочу)[^.!?\n,]{0,30}(?:допомогти|відповісти|вибрати|обрати|брати\s+участь)|\bвідмовляюся\b",
    "zh": r"(?:无法|不能|不会|不便|不愿|不想|拒绝|没办法|無法|拒絕)[^.!?\n,]{0,12}(?:回答|帮|协助|选择|参与|提供|做出|作出|满足|评分|评价|"
    r"给出|讨论|继续|完成|参加|作答|幫|選擇|決定|决定|定价|協助|參與)"
    r"|作为(?:一个|一名|一款)?(?:AI|人工智能|语言模型)[^.!?\n]{0,40}(?:不|没有|无法)",
    "ja": r"(?:お?答え|ご?回答|お?手伝い|選択|選ぶこと|参加|お応え|ご?協力|支援|評価|対応|お選び|決定|提供|参加すること)[^.!?\n]{0,12}"
    r"(?:できません|できない|できかね|いたしかね|しかね|控え|遠慮)|お断り|辞退|拒否します",
    "ko": r"(?:도와|도움|답변|대답|답할|선택|참여|응답|평가|응할|제공|결정|참가)[^.!?\n]{0,14}(?:수\s*없|않겠|거부|거절)|거부합니다|거절합니다|사양하",
    "ar": r"(?:لا\s+(?:أستطيع|يمكنني|أريد|أود)|لن\s+(?:أتمكن|أستطيع)|لست\s+قادر\w*|غير\s+قادر)[^.!?\n]{0,25}(?:مساعد|المساعدة|الإجابة|"
    r"الاختيار|المشاركة|الرد|أجيب|أختار|أشارك|أساعد|تقديم|التقييم|تقييم)|أرفض|أفضل\s+عدم|أعتذر\s+عن|لن\s+(?:أشارك|أجيب)",
    "hi": r"(?:मदद|उत्तर|जवाब|चुन|भाग|सहायता|मूल्यांकन|चयन|हिस्सा)[^.!?\n]{0,25}नहीं|(?:इनकार|मना)\s+करत",
    "tr": r"\b(?:yardımcı\s+olamam|yardım\s+edemem|cevap\s+veremem|yanıt\s+veremem|yanıtlayamam|cevaplayamam|seçemem|"
    r"seçim\s+yapamam|katılamam|reddediyorum|değerlendiremem|yardımcı\s+olamıyorum|cevap\s+vermek\s+istemiyorum|"
    r"seçmek\s+istemiyorum|katılmak\s+istemiyorum|seçmemeyi\s+tercih)",
    "sv": r"\bjag\s+(?:kan|vill|kommer)\s+(?:tyvärr\s+)?(?:inte|ej)\s+(?:att\s+)?(?:hjälpa|svara|välja|delta)|\bjag\s+vägrar\b",
    "da": r"\bjeg\s+(?:kan|vil)\s+(?:desværre\s+|dessverre\s+)?ikke\s+(?:hjælpe|svare|vælge|deltage|hjelpe|velge|delta)|\bjeg\s+nekter\b",
    "cs": r"\b(?:nemohu|nemůžu|nechci|nebudu)\s[^.!?\n,]{0,20}(?:pomoci|pomoct|odpovědět|vybrat|zúčastnit|odpovídat)|\bodmítám\b",
    "ro": r"\bnu\s+(?:pot|vreau)\s+(?:să\s+)?(?:te\s+|vă\s+)?(?:ajut|răspund|aleg|particip)",
    "id": r"\btidak\s+(?:bisa|dapat|mau|akan)\s+(?:membantu|menjawab|memilih|berpartisipasi|ikut)",
    "vi": r"\bkhông\s+thể\s+(?:giúp|trả\s+lời|chọn|tham\s+gia|hỗ\s+trợ)",
    "el": r"\bδεν\s+(?:μπορώ|θέλω)\s+να\s+(?:βοηθήσω|απαντήσω|επιλέξω|συμμετάσχω|σας\s+βοηθήσω)",
}
_OTHERS = re.compile("(?i:" + "|".join(f"(?:{pattern})" for pattern in _BY_LANGUAGE.values()) + ")")
