"""Attachments of the sample mails, made in code: a small PDF, a PNG, a table. They open in ordinary programs.

PDF pages use a built-in font, which has no Cyrillic: their text is English, their file names are not.
"""

import random
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

PICTURE_WIDTH = 240
PICTURE_HEIGHT = 150

# kind → (name in Russian, name in English, what it is); names have slots.
KINDS: Mapping[str, tuple[str, str, str]] = {
    "invoice": ("Счёт № {invoice}.pdf", "Invoice {invoice}.pdf", "pdf"),
    "payment": ("Платёжное поручение {invoice}.pdf", "Payment confirmation {invoice}.pdf", "pdf"),
    "card": ("Карточка предприятия.pdf", "Company details.pdf", "pdf"),
    "agreement": ("Доп. соглашение к договору {contract}.pdf", "Agreement {contract}.pdf", "pdf"),
    "act": ("Акт {order}.pdf", "Report of acceptance {order}.pdf", "pdf"),
    "waybill": ("Накладная {order}.pdf", "Waybill {order}.pdf", "pdf"),
    "certificate": ("Декларация соответствия {art}.pdf", "Declaration of conformity {art}.pdf", "pdf"),
    "certificate2": ("Декларация соответствия {art2}.pdf", "Declaration of conformity {art2}.pdf", "pdf"),
    "manual": ("Инструкция {art}.pdf", "Manual {art}.pdf", "pdf"),
    "order": ("Заказ {order}.pdf", "PO {order}.pdf", "pdf"),
    "proforma": ("Проформа {invoice}.pdf", "Proforma {invoice}.pdf", "pdf"),
    "packing": ("Упаковочный лист {order}.pdf", "Packing list {order}.pdf", "pdf"),
    "quote": ("Предложение {order}.pdf", "Quotation {order}.pdf", "pdf"),
    "deck": ("Презентация.pdf", "Presentation.pdf", "pdf"),
    "statement": ("Выписка.pdf", "Statement of account.pdf", "pdf"),
    "scan": ("Скан.pdf", "Scan.pdf", "pdf"),
    "price": ("Прайс-лист.csv", "Price list.csv", "csv"),
    "report": ("Отчёт.csv", "Report.csv", "csv"),
    "spec": ("Сравнение моделей.csv", "Comparison.csv", "csv"),
    "photo": ("IMG_{photo}.png", "IMG_{photo}.png", "png"),
    "photo2": ("IMG_{photo}_2.png", "IMG_{photo}_2.png", "png"),
    "receipt": ("чек.png", "receipt.png", "png"),
    "inline": ("oblozhka.png", "cover.png", "png"),
}


@dataclass(frozen=True, slots=True)
class File:
    """One attachment; `is_inline` means that the text shows it."""

    name: str
    content_type: str
    content: bytes
    is_inline: bool = False


def make(kind: str, words: Mapping[str, str], language: str, rng: random.Random) -> File:
    """An attachment of a kind. Raises KeyError for a kind that is not in the table."""
    russian, english, form = KINDS[kind]
    name = (russian if language == "ru" else english).format_map(words)
    if form == "png":
        return File(name, "image/png", picture(rng), kind == "inline")
    if form == "csv":
        return File(name, "text/csv", table(words, language))
    title = english.format_map(words).removesuffix(".pdf")
    return File(name, "application/pdf", document([title, "Romashka LLC", f"Order {words['order']}", "", "Sample"]))


def document(lines: list[str]) -> bytes:
    """A PDF of one page with these lines of Latin text (ISO 32000-1 §7.5)."""
    shown = "".join(f"({line.replace(chr(92), '').replace('(', '').replace(')', '')}) Tj T* " for line in lines)
    stream = f"BT /F1 18 Tf 24 TL 60 760 Td {shown}ET".encode("latin-1", "replace")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def picture(rng: random.Random) -> bytes:
    """A PNG: a box on a plain ground, in colours of the generator's choice (ISO/IEC 15948 §5)."""
    ground = bytes(rng.randrange(150, 256) for _ in range(3))
    box = bytes(rng.randrange(20, 150) for _ in range(3))
    left, right = sorted(rng.sample(range(20, PICTURE_WIDTH - 20), 2))
    rows = []
    for y in range(PICTURE_HEIGHT):
        inside = box * (right - left) if 30 < y < PICTURE_HEIGHT - 25 else ground * (right - left)
        rows.append(b"\0" + ground * left + inside + ground * (PICTURE_WIDTH - right))
    header = struct.pack(">IIBBBBB", PICTURE_WIDTH, PICTURE_HEIGHT, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def table(words: Mapping[str, str], language: str) -> bytes:
    """A table as a spreadsheet program saves it: with semicolons, in the encoding of its language."""
    names = ("goods", "goods2") if language == "ru" else ("goods_en", "goods2_en")
    head = "Артикул;Наименование;Цена, руб.;Остаток" if language == "ru" else "Article;Name;Price;In stock"
    rows = [
        f"{words['art']};{words[names[0]]};{words['price']};{words['qty']}",
        f"{words['art2']};{words[names[1]]};{words['price2']};{words['qty2']}",
    ]
    return "\r\n".join([head, *rows, ""]).encode("cp1251" if language == "ru" else "utf-8", "replace")
