"""What mail programs and servers call the folders for sent mail, junk, trash, drafts and the archive, in many languages.

For servers that mark no special uses (RFC 6154): there a folder's name is all there is. Two spellings of a name are the
same when they fold to the same text: without case, marks above and below letters, and punctuation. So `Éléments envoyés`
is `elements envoyes`, `İtem` is `item`, and it makes no difference in which of Unicode's forms a server writes.

A name that means one thing in one language and another in the next is left out, and so is one that may well be a folder
of somebody's own (`Concept`, `Werbung`): drafts and junk are not read unless asked for, so a wrong guess would lose mail.
"""

import re
import unicodedata

# One line a language: names parted by `|`, in any spelling.
NAMES = {
    "sent": """
        en: Sent|Sent Items|Sent Mail|Sent Messages|Sentbox
        ru: Отправленные|Отправленное|Отправленные письма|Отправленные элементы|Отправленные сообщения
        uk: Надіслані|Надіслане|Надіслані листи|Надіслані елементи|Відправлені|Відправлені листи
        be: Адпраўленыя|Дасланыя|Адасланыя
        de: Gesendet|Gesendete|Gesendete Objekte|Gesendete Elemente|Gesendete Nachrichten|Gesendete E-Mails
        fr: Envoyés|Messages envoyés|Éléments envoyés|Courrier envoyé|E-mails envoyés|Courriers envoyés
        es: Enviados|Elementos enviados|Mensajes enviados|Correo enviado|Correos enviados
        pt: Enviadas|Itens enviados|Mensagens enviadas|E-mails enviados|Correio enviado
        it: Inviata|Inviati|Posta inviata|Messaggi inviati|Elementi inviati
        nl: Verzonden|Verzonden items|Verzonden berichten|Verzonden e-mail
        pl: Wysłane|Elementy wysłane|Wysłane wiadomości|Poczta wysłana|Wiadomości wysłane
        cs: Odeslané|Odeslaná pošta|Odeslané zprávy|Odeslané položky
        sk: Odoslané|Odoslaná pošta|Odoslané správy|Odoslané položky
        hu: Elküldött|Elküldött elemek|Elküldött üzenetek|Elküldött levelek
        ro: Trimise|Mesaje trimise|Elemente trimise|E-mailuri trimise
        bg: Изпратени|Изпратена поща|Изпратени писма|Изпратени съобщения
        sr: Послато|Послате|Послате поруке|Poslato|Poslate poruke
        hr: Poslano|Poslane poruke|Poslane stavke
        sl: Poslana pošta|Poslana sporočila|Poslani elementi
        el: Απεσταλμένα|Απεσταλμένα μηνύματα|Σταλμένα|Απεσταλμένη αλληλογραφία
        tr: Gönderilmiş|Gönderilen|Gönderilenler|Gönderilmiş Öğeler|Gönderilmiş Postalar|Gönderilmiş İletiler
        sv: Skickat|Skickade|Skickade objekt|Skickade meddelanden
        no: Sendte|Sendte elementer|Sendte meldinger|Sendt e-post
        da: Sendt|Sendt post|Sendte mails|Sendte beskeder
        fi: Lähetetyt|Lähetetty|Lähetetyt viestit|Lähetetyt kohteet
        et: Saadetud|Saadetud kirjad|Saadetud üksused
        lv: Nosūtītie|Nosūtītās|Nosūtītie vienumi|Nosūtītās vēstules|Izsūtītās
        lt: Išsiųsti|Išsiųsta|Išsiųsti laiškai|Išsiųsti elementai
        ja: 送信済み|送信済みアイテム|送信済みメール|送信済みトレイ|送信済
        zh: 已发送|已发送邮件|已发邮件|已傳送|寄件備份|已傳送郵件|寄件備份匣
        ko: 보낸편지함|보낸 편지함|보낸 메일함|보낸메일함|보낸 항목
        ar: المرسلة|العناصر المرسلة|الرسائل المرسلة|البريد المرسل
        he: דואר שנשלח|נשלח|פריטים שנשלחו|הודעות שנשלחו
        fa: ارسال شده|موارد ارسالی|پیام‌های ارسال‌شده
        vi: Đã gửi|Thư đã gửi|Mục đã gửi
        th: ส่งแล้ว|จดหมายที่ส่ง|รายการที่ส่ง|ข้อความที่ส่ง
        id: Terkirim|Item terkirim|Pesan terkirim
        kk: Жіберілген|Жіберілгендер|Жіберілген хаттар
        ka: გაგზავნილი|გაგზავნილები
        hy: Ուղարկված|Ուղարկվածներ
        ca: Enviats|Elements enviats|Missatges enviats
    """,
    "junk": """
        en: Junk|Junk E-mail|Junk Email|Junk Mail|Spam|Bulk|Bulk Mail
        ru: Спам|Нежелательная почта|Нежелательные|Нежелательные письма|Нежелательные сообщения
        uk: Небажана пошта|Небажані|Небажані листи
        be: Непажаданая пошта|Непажаданае
        de: Unerwünscht|Junk-E-Mail|Spamverdacht|Unerwünschte Werbung
        fr: Indésirables|Courrier indésirable|Pourriel|Pourriels|Courriers indésirables
        es: Correo no deseado|Correo basura|No deseado
        pt: Lixo eletrônico|Lixo eletrónico|Lixo electrónico|E-mail de lixo
        it: Posta indesiderata|Indesiderata|Posta spazzatura
        nl: Ongewenst|Ongewenste e-mail|Ongewenste post|Ongewenste reclame
        pl: Wiadomości-śmieci|Niechciane|Niechciana poczta|Wiadomości śmieci
        cs: Nevyžádaná pošta|Nevyžádané
        sk: Nevyžiadaná pošta|Nevyžiadané
        hu: Levélszemét|Kéretlen|Kéretlen levelek
        ro: Mesaje nedorite|E-mail nedorit|Nedorite
        bg: Нежелана поща|Нежелани
        sr: Нежељена пошта|Neželjena pošta
        hr: Bezvrijedna pošta|Neželjena e-pošta
        sl: Neželena pošta|Vsiljena pošta
        el: Ανεπιθύμητα|Ανεπιθύμητη αλληλογραφία|Ανεπιθύμητη
        tr: Önemsiz|Önemsiz E-posta|Gereksiz|Gereksiz E-posta|İstenmeyen
        sv: Skräppost|Skräp
        no: Søppelpost|Uønsket e-post
        da: Uønsket mail|Uønsket post|Uønsket e-mail
        fi: Roskaposti|Roskapostit
        et: Rämpspost
        lv: Mēstules|Surogātpasts|Nevēlamais pasts
        lt: Brukalas|Šlamštas|Nepageidaujami|Nepageidaujamas paštas
        ja: 迷惑メール|スパム|迷惑メールフォルダ
        zh: 垃圾邮件|垃圾郵件|垃圾信件|垃圾箱邮件
        ko: 스팸|스팸메일함|스팸 메일함|정크 메일|스팸편지함
        ar: البريد غير المرغوب فيه|غير المرغوب فيها|البريد العشوائي|رسائل غير مرغوبة
        he: דואר זבל|ספאם|זבל
        fa: هرزنامه|هرزنامه‌ها
        vi: Thư rác|Thư linh tinh
        th: อีเมลขยะ|จดหมายขยะ|สแปม
        id: Email sampah|Pesan sampah
        kk: Керексіз хаттар|Қажетсіз хаттар
        ka: სპამი
        hy: Սպամ
        ca: Correu brossa
    """,
    "trash": """
        en: Trash|Bin|Deleted|Deleted Items|Deleted Messages|Deleted Mail|Wastebasket|Rubbish
        ru: Корзина|Удаленные|Удаленные письма|Удаленные элементы|Удаленные сообщения|Удалённое
        uk: Кошик|Видалені|Видалені листи|Видалені елементи|Смітник
        be: Сметніца|Выдаленыя|Кошык
        de: Papierkorb|Gelöscht|Gelöschte Objekte|Gelöschte Elemente|Gelöschte Nachrichten
        fr: Corbeille|Éléments supprimés|Messages supprimés|Supprimés|Poubelle
        es: Papelera|Elementos eliminados|Eliminados|Mensajes eliminados|Papelera de reciclaje
        pt: Lixeira|Lixo|Itens excluídos|Itens eliminados|Excluídas|Eliminadas|Mensagens excluídas
        it: Cestino|Posta eliminata|Eliminata|Elementi eliminati|Messaggi eliminati
        nl: Prullenbak|Prullenmand|Verwijderd|Verwijderde items|Verwijderde berichten
        pl: Kosz|Elementy usunięte|Usunięte|Wiadomości usunięte
        cs: Odstraněná pošta|Odstraněné|Smazané|Odpadkový koš|Odstraněné položky
        sk: Odstránené|Odstránená pošta|Vymazané|Odstránené položky
        hu: Kuka|Lomtár|Törölt|Törölt elemek|Törölt üzenetek
        ro: Coș de gunoi|Elemente șterse|Șterse|Mesaje șterse|Gunoi
        bg: Кошче|Изтрити|Изтрити писма|Изтрити елементи
        sr: Смеће|Обрисано|Канта|Избрисане поруке|Smeće|Obrisano
        hr: Otpad|Izbrisano|Izbrisane stavke
        sl: Smetnjak|Izbrisano|Izbrisani elementi
        el: Κάδος|Διαγραμμένα|Κάδος απορριμμάτων|Απορρίμματα|Διεγραμμένα
        tr: Çöp|Çöp Kutusu|Silinmiş|Silinmiş Öğeler|Silinen|Silinenler|Silinmiş Postalar
        sv: Papperskorg|Papperskorgen|Borttagna|Borttagna objekt|Borttaget
        no: Papirkurv|Slettet|Slettede elementer|Søppel|Søppelbøtte
        da: Slettet post|Slettede mails|Slettede elementer|Affald
        fi: Roskakori|Poistetut|Poistetut viestit|Poistetut kohteet
        et: Prügikast|Prügi|Kustutatud|Kustutatud kirjad|Kustutatud üksused
        lv: Atkritne|Miskaste|Dzēstie|Dzēstie vienumi|Dzēstās
        lt: Šiukšlinė|Šiukšliadėžė|Šiukšlės|Ištrinti|Panaikinti elementai
        ja: ごみ箱|ゴミ箱|削除済み|削除済みアイテム|削除済みメール
        zh: 已删除|已删除邮件|废纸篓|垃圾桶|已刪除的郵件|刪除的郵件|回收站|已刪除郵件
        ko: 휴지통|지운 편지함|지운편지함|지운 항목|삭제된 항목
        ar: المهملات|سلة المهملات|العناصر المحذوفة|المحذوفة|الرسائل المحذوفة
        he: אשפה|פריטים שנמחקו|נמחקו|סל אשפה
        fa: زباله‌دان|سطل زباله|موارد حذف‌شده
        vi: Thùng rác|Đã xóa|Mục đã xóa
        th: ถังขยะ|รายการที่ถูกลบ|ลบแล้ว
        id: Sampah|Tong Sampah|Terhapus|Item terhapus
        kk: Себет|Жойылған|Жойылғандар|Қоқыс
        ka: ნაგავი|წაშლილი|კალათა
        hy: Աղբաման|Աղբարկղ|Ջնջված
        ca: Paperera|Elements suprimits
    """,
    "drafts": """
        en: Drafts|Draft|Draftbox|Draft Messages
        ru: Черновики|Черновик
        uk: Чернетки|Чернетка
        be: Чарнавікі|Чарнавік
        de: Entwürfe|Entwurf
        fr: Brouillons|Brouillon
        es: Borradores|Borrador
        pt: Rascunhos|Rascunho
        it: Bozze|Bozza
        nl: Concepten
        pl: Kopie robocze|Wersje robocze|Szkice|Robocze
        cs: Koncepty|Rozepsané|Rozepsané zprávy
        sk: Rozpísané|Rozpísané správy
        hu: Piszkozatok|Piszkozat
        ro: Ciorne
        bg: Чернови|Чернова
        sr: Нацрти|Недовршене|Nacrti
        hr: Nedovršeno
        sl: Osnutki|Osnutek
        el: Πρόχειρα|Προσχέδια
        tr: Taslaklar|Taslak
        sv: Utkast
        no: Kladd|Utkast e-post
        da: Kladder|Kladde
        fi: Luonnokset|Luonnos
        et: Mustandid|Mustand
        lv: Melnraksti|Uzmetumi
        lt: Juodraščiai|Juodraštis
        ja: 下書き|下書
        zh: 草稿|草稿箱|草稿夹|草稿匣
        ko: 임시보관함|임시 보관함|초안|임시 저장함
        ar: المسودات|مسودات
        he: טיוטות|טיוטה
        fa: پیش‌نویس|پیش‌نویس‌ها
        vi: Thư nháp|Bản nháp|Nháp
        th: ร่าง|แบบร่าง|จดหมายร่าง
        id: Draf
        kk: Шимайлар|Нобайлар
        ka: მონახაზები|დრაფტები
        hy: Սևագրեր|Սևագիր
        ca: Esborranys
    """,
    "archive": """
        en: Archive|Archives|Archived
        ru: Архив|Архивы
        uk: Архів|Архіви
        be: Архіў
        de: Archiv|Archivierte
        fr: Archivés
        es: Archivo|Archivados
        pt: Arquivo|Arquivos|Arquivadas|Arquivo morto
        it: Archivio|Archiviati
        nl: Archief|Archieven
        pl: Archiwum|Zarchiwizowane
        cs: Archív|Archivované
        sk: Archivovať
        hu: Archívum|Irattár
        ro: Arhivă|Arhive
        bg: Архивирани
        sr: Архива|Arhiva
        hr: Arhiv|Arhivirano
        el: Αρχείο|Αρχειοθήκη
        tr: Arşiv|Arşivler
        sv: Arkiv|Arkiverat
        fi: Arkisto|Arkistoidut
        et: Arhiiv
        lv: Arhīvs
        lt: Archyvas|Archyvai
        ja: アーカイブ
        zh: 存档|归档|封存|存檔
        ko: 보관|보관함|아카이브
        ar: الأرشيف|أرشيف
        he: ארכיון
        fa: بایگانی
        vi: Lưu trữ
        th: เก็บถาวร|ที่เก็บถาวร
        id: Arsip
        kk: Мұрағат
        ka: არქივი
        hy: Արխիվ
        ca: Arxiu
    """,
}

# Letters that Unicode takes for one piece, though people write them both ways.
_LIKE = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ə": "e"})
_BETWEEN = re.compile(r"[\W_]+")


def folded(text: str) -> str:
    """A name as it is compared."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(one for one in plain if not unicodedata.category(one).startswith("M"))
    return _BETWEEN.sub(" ", bare.translate(_LIKE)).strip()


def read(table: str) -> dict[str, list[str]]:
    """The names of a table by language."""
    lines = (line.split(":", 1) for line in table.split("\n") if ":" in line)
    return {language.strip(): names.strip().split("|") for language, names in lines}


ROLE_OF_NAME = {folded(name): role for role, table in NAMES.items() for names in read(table).values() for name in names}
