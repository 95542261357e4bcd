"""Replies as mail programs of many languages write them: marked with `>` or not, the new words are the ones above."""

import pytest

from interactions.replies import new_words, without_old

SAID = "Спасибо, всё пришло."
OLD = "Посылаю вам счёт на оплату.\nАнна"

SAMPLES = {
"ru-gmail": "ср, 25 нояб. 2026 г. в 15:32, Анна Соколова <anna@firm.example>:",
"ru-gmail2": "25 ноября 2026 г. в 15:32 пользователь Анна Соколова <anna@firm.example> написал:",
"ru-yandex": "25.11.2026, 15:32, \"Анна Соколова\" <anna@firm.example>:",
"ru-mailru": "Среда, 25 ноября 2026, 15:32 +03:00 от Анна Соколова <anna@firm.example>:",
"ru-mailru2": ">Среда, 25 ноября 2026, 15:32 +03:00 от Анна <anna@firm.example>:\n> ",
"ru-tb": "25.11.2026 15:32, Анна Соколова пишет:",
"ru-apple": "25 нояб. 2026 г., в 15:32, Анна Соколова <anna@firm.example> написал(а):",
"ru-iphone": "25 нояб. 2026 г., в 15:32, Анна Соколова <anna@firm.example> написал(а):\n\n﻿",
"ru-bat": "Здравствуйте, Анна.\n\nВы писали 25 ноября 2026 г., 15:32:41:",
"ru-rambler": "25.11.2026, 15:32 GMT+03:00 от \"Анна\" <anna@firm.example>:",
"uk-gmail": "ср, 25 лист. 2026 р. о 15:32 Олена Коваль <olena@firm.example> пише:",
"uk-gmail2": "25 листопада 2026 р. о 15:32 Олена Коваль <olena@firm.example> пише:",
"uk-tb": "25.11.26 15:32, Олена Коваль пише:",
"uk-ukrnet": "25 листопада 2026, 15:32:10, від \"Олена Коваль\" <olena@firm.example>:",
"pl-gmail": "śr., 25 lis 2026 o 15:32 Jan Kowalski <jan@firm.example> napisał(a):",
"pl-tb": "W dniu 25.11.2026 o 15:32, Jan Kowalski pisze:",
"pl-wp": "Dnia 25 listopada 2026 15:32 Jan Kowalski <jan@firm.example> napisał(a):",
"pl-apple": "Wiadomość napisana przez Jan Kowalski <jan@firm.example> w dniu 25.11.2026, o godz. 15:32:",
"fi-gmail": "ke 25. marrask. 2026 klo 15.32 Matti Virtanen (matti@firm.example) kirjoitti:",
"fi-tb": "Matti Virtanen kirjoitti 25.11.2026 klo 15.32:",
"fi-apple": "Matti Virtanen <matti@firm.example> kirjoitti 25.11.2026 kello 15.32:",
"no-gmail": "ons. 25. nov. 2026 kl. 15:32 skrev Ola Nordmann <ola@firm.example>:",
"no-tb": "Den 25.11.2026 15:32, skrev Ola Nordmann:",
"no-apple": "25. nov. 2026 kl. 15:32 skrev Ola Nordmann <ola@firm.example>:",
"sv-gmail": "Den ons 25 nov. 2026 kl 15:32 skrev Sven Svensson <sven@firm.example>:",
"da-gmail": "Den ons. 25. nov. 2026 kl. 15.32 skrev Jens Jensen <jens@firm.example>:",
"de-gmail": "Am Mi., 25. Nov. 2026 um 15:32 Uhr schrieb Hans Meier <hans@firm.example>:",
"de-tb": "Am 25.11.2026 um 15:32 schrieb Hans Meier:",
"de-apple": "Am 25.11.2026 um 15:32 schrieb Hans Meier <hans@firm.example>:",
"de-gmx": "Gesendet: Mittwoch, 25. November 2026 um 15:32 Uhr\nVon: \"Hans Meier\" <hans@firm.example>\nAn: anna@firm.example\nBetreff: Bestellung",
"de-webde": "> Am 25.11.2026 um 15:32 schrieb Hans Meier <hans@firm.example>:\n>",
"fr-gmail": "Le mer. 25 nov. 2026 à 15:32, Jean Petit <jean@firm.example> a écrit :",
"fr-tb": "Le 25/11/2026 à 15:32, Jean Petit a écrit :",
"fr-orange": "> Message du 25/11/26 15:32\n> De : \"Jean Petit\" <jean@firm.example>\n> A : anna@firm.example\n> Objet : Commande\n>",
"fr-outlook": "De : Jean Petit <jean@firm.example>\nEnvoyé : mercredi 25 novembre 2026 15:32\nÀ : Anna\nObjet : Commande",
"es-gmail": "El mié, 25 nov 2026 a las 15:32, Juan Pérez (<juan@firm.example>) escribió:",
"es-tb": "El 25/11/26 a las 15:32, Juan Pérez escribió:",
"es-apple": "El 25 nov 2026, a las 15:32, Juan Pérez <juan@firm.example> escribió:",
"es-outlook": "De: Juan Pérez <juan@firm.example>\nEnviado el: miércoles, 25 de noviembre de 2026 15:32\nPara: Anna\nAsunto: Pedido",
"it-gmail": "Il giorno mer 25 nov 2026 alle ore 15:32 Mario Rossi <mario@firm.example> ha scritto:",
"it-tb": "Il 25/11/2026 15:32, Mario Rossi ha scritto:",
"it-apple": "Il giorno 25 nov 2026, alle ore 15:32, Mario Rossi <mario@firm.example> ha scritto:",
"it-outlook": "Da: Mario Rossi <mario@firm.example>\nInviato: mercoledì 25 novembre 2026 15:32\nA: Anna\nOggetto: Ordine",
"zh-gmail": "张三 <zhang@firm.example> 于2026年11月25日周三 15:32写道：",
"zh-apple": "在 2026年11月25日，15:32，张三 <zhang@firm.example> 写道：",
"zh-foxmail": "------------------ 原始邮件 ------------------\n发件人: \"张三\" <zhang@firm.example>;\n发送时间: 2026年11月25日(星期三) 下午3:32\n收件人: \"安娜\"<anna@firm.example>;\n主题: 订单",
"zh-outlook": "发件人: 张三 <zhang@firm.example>\n发送时间: 2026年11月25日 15:32\n收件人: 安娜\n主题: 订单",
"zh-163": "在 2026-11-25 15:32:10，\"张三\" <zhang@firm.example> 写道：",
"ja-gmail": "2026年11月25日(水) 15:32 山田太郎 <yamada@firm.example>:",
"pt-gmail": "Em qua., 25 de nov. de 2026 às 15:32, João Silva <joao@firm.example> escreveu:",
"nl-gmail": "Op wo 25 nov 2026 om 15:32 schreef Jan Jansen <jan@firm.example>:",
"cs-gmail": "st 25. 11. 2026 v 15:32 odesílatel Jan Novák <jan@firm.example> napsal:",
"cs-seznam": "---------- Původní e-mail ----------\nOd: Jan Novák <jan@firm.example>\nKomu: anna@firm.example\nDatum: 25. 11. 2026 15:32:10\nPředmět: Objednávka",
"tr-gmail": "Ali Veli <ali@firm.example>, 25 Kas 2026 Çar, 15:32 tarihinde şunu yazdı:",
"ru-outlook": "From: Анна Соколова <anna@firm.example>\nSent: Wednesday, November 25, 2026 3:32 PM\nTo: Иван <ivan@x.example>\nSubject: RE: Заказ",
"ru-outlook2": "________________________________\nОт: Анна Соколова <anna@firm.example>\nОтправлено: 25 ноября 2026 г. 15:32:10\nКому: Иван\nТема: Заказ",
"ru-outlook3": "-----Original Message-----\nFrom: anna@firm.example\nSent: 25.11.2026 15:32\nTo: ivan",
"ru-mailru-mob": "--\nОтправлено из Mail.ru для Android\nсреда, 25 ноября 2026 г., 15:32 +03:00 от Анна anna@firm.example:",
"uk-outlook": "Від: Олена Коваль <olena@firm.example>\nНадіслано: середа, 25 листопада 2026 р. 15:32\nКому: Іван\nТема: Замовлення",
"fi-outlook": "Lähettäjä: Matti <matti@firm.example>\nLähetetty: keskiviikko 25. marraskuuta 2026 15.32\nVastaanottaja: Anna\nAihe: Tilaus",
"no-outlook": "Fra: Ola Nordmann <ola@firm.example>\nSendt: onsdag 25. november 2026 15:32\nTil: Anna\nEmne: Ordre",
"pl-outlook": "From: Jan Kowalski <jan@firm.example>\nSent: Wednesday, November 25, 2026 3:32 PM\nTo: Anna\nSubject: Zam",
"en-yahoo": "    On Wednesday, November 25, 2026 at 03:32:10 PM GMT+3, Ann Smith <ann@firm.example> wrote:",
"en-proton": "On Wednesday, November 25th, 2026 at 3:32 PM, Ann Smith <ann@firm.example> wrote:",
"en-proton2": "‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐\nOn Wednesday, November 25th, 2026 at 3:32 PM, Ann <ann@firm.example> wrote:",
"ru-proton": "среда, 25 ноября 2026 г. в 15:32, Анна Соколова <anna@firm.example> написал:",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SAMPLES))
@pytest.mark.parametrize("mark", ["", "> "], ids=["bare", "marked"])
def test_the_new_words_stand_above_the_attribution(name: str, mark: str) -> None:
    mark = "> " if SAMPLES[name].startswith(">") else mark
    older = "\n".join(f"{mark}{line}" for line in OLD.split("\n"))
    text = f"{SAID}\n\n{SAMPLES[name]}\n\n{older}\n"

    found = new_words(text, is_reply=True).removesuffix("Здравствуйте, Анна.").rstrip()  # The Bat! greets above it

    assert found == SAID


@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - {"ru-bat", "ru-mailru-mob"}))  # these two say something
def test_a_reply_that_is_only_a_quote_says_all_of_it(name: str) -> None:
    text = f"{SAMPLES[name]}\n\n{OLD}\n"

    assert OLD.split("\n", maxsplit=1)[0] in new_words(text, is_reply=True)


def test_answers_between_the_lines_of_an_unmarked_quote_are_new_where_the_older_mail_is_at_hand() -> None:
    older = "Какой срок поставки по договору?\nСколько единиц вам нужно на складе?\nКто оплачивает доставку до Казани?\nС уважением, Анна Соколова"
    first, second, third, signed = older.split("\n")
    block = SAMPLES["ru-outlook"]
    whole = f"Ответы ниже.\n\n{block}\n\n{first}\nСрок две недели с оплаты.\n{second}\nСорок.\n{third}\n{signed}"
    said = new_words(whole, is_reply=True)

    assert said == "Ответы ниже."
    assert without_old(said, older, whole) == "Ответы ниже.\nСрок две недели с оплаты.\nСорок."
    assert without_old(said, "Совсем другое письмо о другом.", whole) == said


def test_a_link_that_a_host_has_rewritten_is_no_answer() -> None:
    older = (
        "Посмотрите, пожалуйста, наш новый каталог здесь:\nhttps://firm.example/catalogue\n"
        "Цены (https://firm.example/prices) на этот месяц.\nИ напишите, что из него нужно."
    )
    rewritten = older.replace("https://firm.example", "https://scanner.example/?u=firm")
    whole = f"Да.\n\n{SAMPLES['ru-outlook']}\n\n{rewritten}"

    assert without_old("Да.", older, whole) == "Да."


def test_a_quoted_line_that_ends_with_a_bracket_is_quoted_among_others() -> None:
    assert new_words("> a line\n> b = 16384 <<\n> c line\nYes") == "Yes"
