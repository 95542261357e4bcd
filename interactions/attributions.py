"""The lines that mail programs put before what they quote: "On … wrote:", a block of headers, a divider; by language.

    attribution   25.11.2026 15:32, Анна Соколова пишет:      one to three lines; how sure depends on what it names
    header block  From: … / Sent: … / To: … / Subject: …      Outlook and its kin, which mark nothing with `>`
    divider       -----Original Message-----

Every program and every language has its own words; what they have in common is a date, a time and an address, so that
the words decide only where those are missing. Each pattern looks at the first CHARS_MAX characters of a line and needs
linear time.

Limits: an attribution without a date, an address or a verb that is known here is text.
"""

import re
from collections.abc import Sequence
from enum import IntEnum

CHARS_MAX = 300
JOINED_MAX = 3  # lines of one attribution
BLOCK_MAX = 16  # lines of one header block

_VERBS = (
    "wrote", "writes", "sent", "schrieb", "geschrieben", "schreef", "a écrit", "écrit", "escribió", "escreveu",
    "ha scritto", "scrisse", "napisał", "napisała", "napisał(a)", "napsal", "napsal(a)", "napísal", "skrev", "kirjoitti",
    "пишет", "писал", "писала", "писал(а)", "писали", "написал", "написала", "написал(а)", "пише", "писав", "написав",
    "написала", "pisze", "schreibt", "đã viết", "a scris", "yazdı", "írta",
)  # fmt: skip
_VERB = re.compile(
    r"(?<!\w)(?:" + "|".join(map(re.escape, sorted(_VERBS, key=len, reverse=True))) + r")(?!\w)|写道|寫道|のメール"
)
_ENDS = (":", "：", ">", "--", "写道", "寫道", *_VERBS)
_ADDRESS = re.compile(r"[^\s<>@\"]{1,80}@[\w.-]{2,80}")
_DATE = re.compile(
    r"(?<!\d)(?:\d{1,2}[./-]\s?(?:\d{1,2}|[^\W\d]{3,9})[.]?[./-]\s?(?:\d{4}|\d{2})|\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{4}年\s?\d{1,2}月(?:\s?\d{1,2}日)?)(?!\d)"
    r"|(?<!\d)\d{1,2}[.,]?\s(?:de\s)?[^\W\d]{3,12}[.,]*\s(?:de\s|tháng\s)?(?:19|20)\d\d(?!\d)"
    r"|(?<!\w)[^\W\d]{3,12}\.?\s\d{1,2}(?:st|nd|rd|th)?,?\s(?:19|20)\d\d(?!\d)"
    r"|(?<!\d)\d{1,2}\stháng\s\d{1,2},?\s\d{4}(?!\d)"
)
_TIME = re.compile(r"(?<!\d)\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?!\d)")
_START = re.compile(
    r"(?:[-*_\"'«]{0,20}\s?)"
    r"(?:(?:on|am|le|el|il|op|em|den|på|pe|vào|w dniu|dnia|dne|в|вы писали|у|ви писали)\b"
    r"|\d{1,4}[./年-]\s?\d|\d{1,2}\.?\s[^\W\d]{3,}"
    r"|(?:mon|tue|wed|thu|fri|sat|sun|пн|вт|ср|чт|пт|сб|вс|нд|понедельник|вторник|среда|четверг|пятница|суббота|воскресенье)"
    r"\b)",
)

_HYPHENS = re.compile("[\u2010-\u2014\u2212]")

FROM, DATED, TO, SUBJECT, _OTHER = "from", "date", "to", "subject", "other"
_LABELS = {
    FROM: "from von de da od fra från lähettäjä van expéditeur remitente nadawca от від 发件人 寄件者 差出人 kimden feladó отправитель відправник",
    DATED: "date sent datum gesendet envoyé envoyée fecha enviado data inviato verzonden wysłano wysłane sendt dato skickat lähetetty "
    "päivämäärä päiväys datum дата отправлено надіслано 发送时间 日期 送信日時 gönderilme",
    TO: "to an à komu destinataire destinatario para aan do til till vastaanottaja кому 收件人 宛先 kime címzett получатель",
    SUBJECT: "subject betreff objet sujet asunto assunto oggetto onderwerp temat tytuł předmět emne ämne aihe тема 主题 主旨 件名 konu tárgy",
    _OTHER: "cc kopie kopia kopi kopio копия копія 抄送 reply-to importance attachments organization",
}
_PHRASES = {
    "enviado el": DATED,
    "data wysłania": DATED,
    "дата отправки": DATED,
    "от кого": FROM,
    "від кого": FROM,
    "fecha de envío": DATED,
}
_KIND = {word: kind for kind, words in _LABELS.items() for word in words.split()} | _PHRASES
_LABEL = re.compile(r"[\s>]{0,20}\*{0,2}([^\W\d][\w\s-]{0,15}?)\s?\*{0,2}\s?[:：]\s?\*{0,2}\s?(.*)")

_DIVIDER = re.compile(
    r"(?:-{2,40}|_{2,40}|={2,40})\s?(?:"
    r"(?:original|reply|forwarded|ursprüngliche|weitergeleitete|antwort|oprindelig|opprinnelig|ursprungligt|videresendt|"
    r"alkuperäinen|edelleenlähetetty|oorspronkelijk|doorgestuurd|mensaje|messaggio|mensagem|wiadomość|oryginalna|"
    r"przekazana|przekazywana|исходное|оригинальное|пересылаемое|пересланное|перенаправленное|переадресованное|вихідне|"
    r"переслане|перенаправлене|邮件原件|原始邮件|转发邮件|původní|přeposlaná)"
    r"(?:\s(?:message|nachricht|meddelelse|melding|meddelande|viesti|bericht|original|originale|reenviado|inoltrato|"
    r"oryginalna|wiadomość|przekazana(?:\sdalej)?|e-mail|zpráva|сообщение|письмо|повідомлення))?"
    r"|message d.origine|message transféré|treść (?:oryginalnej|przekazanej) wiadomości"
    r"|(?:начало|конец|завершение) пересылаемого сообщения"
    r")\s?(?:-{2,40}|_{2,40}|={2,40})"
)
_RULE = re.compile(r"[-_=*\s\u2013\u2014]{3,}")
_FORWARDED = re.compile(
    r"(?:begin forwarded message|начало (?:переадресованного|пересылаемого) сообщения|anfang der weitergeleiteten \w+"
    r"|début du message (?:transféré|réexpédié)|inicio del mensaje reenviado|inizio messaggio inoltrato"
    r"|początek przekazanej wiadomości|початок (?:листа, що пересилається|переадресованого повідомлення))\s?:?"
)
_ON = re.compile(
    r"forward|weitergeleitet|transféré|réexpédié|reenviad|inoltrat|encaminhad|przekaz|пересыл|переслан|перенаправ|переадрес|"
    r"пересил|videresendt|edelleenlähet|doorgestuur|vidarebefordr|转发"
)


class Sure(IntEnum):
    """How surely a line introduces a quote. WEAK: only where a quote follows. STRONG: whatever follows."""

    NO = 0
    WEAK = 1
    STRONG = 2


def may_begin(lines: Sequence[str]) -> list[bool]:
    """A quick look: for each line, whether it is worth asking the others about it."""
    tails = "\n".join([line[-40:] for line in lines]).casefold().split("\n")
    begins = [":" in line[:40] or "：" in line[:40] for line in lines]
    for n, tail in enumerate(tails):
        if tail.rstrip(" \t\r*_").endswith(_ENDS):
            first = max(n - JOINED_MAX + 1, 0)
            begins[first : n + 1] = [True] * (n + 1 - first)
    return begins


def attribution(lines: Sequence[str], n: int) -> tuple[int, Sure]:
    """How many lines from `n` on introduce a quote, and how surely; (0, NO) where they do not."""
    text = _plain(lines[n])
    best = (1, _sureness(text))
    if best[1] is not Sure.STRONG and _START.match(text):
        for count in range(2, JOINED_MAX + 1):
            following = _plain(lines[n + count - 1]) if n + count <= len(lines) else ""
            if not following or following.startswith((">", "|")):
                break
            if _START.match(following) and _sureness(following):
                break
            text = f"{text} {following}"
            sure = _sureness(text)
            if sure > best[1]:
                best = (count, sure)
            if sure is Sure.STRONG:
                break
    return best if best[1] else (0, Sure.NO)


def _plain(line: str) -> str:
    text = line[:CHARS_MAX].replace("&nbsp;", " ")
    return " ".join((text if text.isascii() else _HYPHENS.sub("-", text)).casefold().split())


def _sureness(text: str) -> Sure:
    is_framed = text.startswith("--") and text.endswith("--")
    text = text.strip("-_* ")
    ends = text.endswith((":", "："))
    verbs = list(_VERB.finditer(text))
    if verbs and not ends and verbs[-1].end() != len(text):
        verbs = []
    has_address = "@" in text and _ADDRESS.search(text) is not None
    date = _DATE.search(text)
    has_time = _TIME.search(text) is not None
    if verbs and date and (has_time or has_address):
        return Sure.STRONG
    if ends and date and has_time and has_address:
        return Sure.STRONG
    if verbs and (ends or date or has_address or is_framed):
        return Sure.WEAK
    if date and has_address and text[-1:] in ">:":
        return Sure.WEAK
    return Sure.NO


def header_block(lines: Sequence[str], n: int) -> dict[str, str]:
    """What the header lines of an older mail say that begin here, by FROM, DATED, TO and SUBJECT."""
    kind, value = _label(lines[n])
    if kind not in (FROM, DATED, SUBJECT):
        return {}
    kinds: dict[str, str] = {}
    others = 0
    for line in lines[n : n + BLOCK_MAX]:
        kind, value = _label(line)
        if kind:
            kinds.setdefault(kind, value)
            others = 0
        else:
            others += 1
            if others > 2:
                break
    return kinds


def block_end(lines: Sequence[str], n: int) -> int:
    """The line after the header lines that begin here."""
    end = n
    while end < min(n + BLOCK_MAX, len(lines)) and _label(lines[end])[0]:
        end += 1
    return end


def is_header_block(lines: Sequence[str], n: int) -> bool:
    """Whether the header lines of an older mail begin here."""
    kinds = header_block(lines, n)
    named = [one for one in (FROM, DATED, TO, SUBJECT) if one in kinds]
    if len(named) >= 3 and FROM in named:
        return True
    if FROM in named and DATED in named:
        return bool(kinds[FROM].strip(" *")) and _is_moment(kinds[DATED])
    return DATED in named and _is_moment(kinds[DATED]) and any("@" in kinds.get(one, "") for one in (TO, FROM))


def _is_moment(value: str) -> bool:
    """A day and an hour, or at least a year: what a program writes and a person seldom does."""
    return sum(letter.isdigit() for letter in value[:CHARS_MAX]) >= 5


def _label(line: str) -> tuple[str, str]:
    if ":" not in line and "：" not in line:
        return "", ""
    found = _LABEL.match(line[:CHARS_MAX].replace("\u00a0", " "))
    if not found:
        return "", ""
    return _KIND.get(found.group(1).strip().casefold(), ""), found.group(2)


def is_forward_divider(line: str) -> bool:
    """A divider that says that the mail after it is sent on."""
    return is_divider(line) and _ON.search(_plain(line)) is not None


def is_divider(line: str) -> bool:
    """A line such as -----Original Message-----."""
    text = _plain(line)
    return bool(_DIVIDER.fullmatch(text) or _FORWARDED.fullmatch(text))


def is_rule(line: str) -> bool:
    """A line drawn across, of at least three strokes."""
    return _RULE.fullmatch(line[:CHARS_MAX].strip()) is not None
