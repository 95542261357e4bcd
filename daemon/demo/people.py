"""Who lives in the demonstration: our three users, companies, their people, and private customers. All invented.

Telephone numbers are written as people write them, each in another way; the telephone spells them otherwise again, so
that matching has something to do. Two things are there on purpose: one address of an office centre that belongs to two
people of different companies (nobody can tell which of them writes), and one that two people of one company share.
"""

from dataclasses import dataclass

DOMAIN = "romashka.example"
COMPANY_RU = "ООО «Ромашка»"
COMPANY_EN = "Romashka LLC"


@dataclass(frozen=True, slots=True)
class User:
    """One of us. `name` is the contact's, `called` stands in letters."""

    key: str
    name: str
    name_en: str
    called: str
    called_en: str
    email: str
    extension: str
    position: str
    position_en: str
    is_female: bool = True


@dataclass(frozen=True, slots=True)
class Partner:
    """A company that we deal with."""

    ref: str
    name: str
    city: str
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who writes and calls; `partner` is empty for a private customer. `roles` say in which stories one can
    appear, `called` is how we address them, `manager` who of us looks after them."""

    ref: str
    name: str
    full_name: str
    called: str
    is_female: bool
    partner: str
    roles: tuple[str, ...]
    email: str
    phones: tuple[str, ...]
    position: str = ""
    language: str = "ru"
    charset: str = "utf-8"
    writes_html: bool = False
    manager: str = "anna"
    more_emails: tuple[str, ...] = ()


USERS = (
    User("anna", "Соколова Анна Сергеевна", "Anna Sokolova", "Анна Соколова", "Anna", f"anna@{DOMAIN}", "101",
         "менеджер по работе с клиентами", "Key Account Manager"),
    User("boris", "Лаптев Борис Николаевич", "Boris Laptev", "Борис Лаптев", "Boris", f"boris@{DOMAIN}", "102",
         "руководитель отдела закупок и логистики", "Head of Purchasing and Logistics", is_female=False),
    User("vera", "Зимина Вера Олеговна", "Vera Zimina", "Вера Зимина", "Vera", f"vera@{DOMAIN}", "103",
         "специалист службы сервиса", "Customer Service"),
)  # fmt: skip

LINE_SALES = "+74956324000"
LINE_SERVICE = "+74956324001"

PARTNERS = (
    Partner("bt", 'Магазин "Бытовая техника (Москва)"', "Москва", ("info@bt-moskva.example",), ("(495) 6329816",)),
    Partner("sever", "ООО «Северный ветер»", "Санкт-Петербург", ("mail@severveter.example",), ("8 (812) 632-97-10",)),
    Partner("gonch", "ИП Гончаров С. В.", "Тула", (), ("4872 63-29-71",)),
    Partner("uyut", "Сеть магазинов «Уютный дом»", "Екатеринбург", ("zakaz@uyutdom.example",), ("+7 343 632-97-20",)),
    Partner("trans", "ООО «Семь вёрст»", "Москва", ("dispetcher@7verst.example",), ("8-499-632-97-77",)),
    Partner("roscha", "Гостиница «Берёзовая роща»", "Суздаль", ("hotel@berezroscha.example",), ("(49231) 6-32-97",)),
    Partner("kazan", "ООО «Казань-Опт»", "Казань", ("opt@kazanopt.example",), ("843 632 97 30",)),
    Partner("debet", "Бухгалтерское бюро «Дебет Плюс»", "Москва", (), ("495/632-97-41",)),
    Partner("master", "Сервисный центр «Золотые руки»", "Москва", ("sc@zolotruki.example",), ("7 499 6329742",)),
    Partner("ceh", "Кафе «Вкусный цех»", "Москва", ("cafe@vkusceh.example",), ("+7(495)632-97-43",)),
    Partner("ugol", "Кофейня «Тёплый угол»", "Тверь", (), ("84822632974",)),
    Partner("raduga", "Детский центр «Радуга»", "Подольск", ("centr@raduga-deti.example",), ("8 495 632 97 45",)),
    Partner("stroy", "ООО «СтройКомплект-М»", "Москва", ("snab@stroykm.example",), ("8 (499) 632-97-46",)),
    Partner("ottisk", "Типография «Оттиск»", "Москва", ("print@ottisk.example",), ("+7 499 632 97 47",)),
    Partner("larkhill", "Larkhill Appliances Ltd", "London", ("orders@larkhill.example",), ("+44 (0)20 7946 0123",)),
    Partner("nordhaus", "Nordhaus Küchengeräte GmbH", "Berlin", ("info@nordhaus.example",), ("+49 30 23125 041",)),
    Partner("baltwind", "Baltwind Freight", "Tallinn", ("desk@baltwind.example",), ("+372 632 9750",)),
    Partner("harbour", "Harbour & Pine Hotels", "Edinburgh", (), ("0044 131 496 0151",)),
    Partner("anatolia", "Anatolia Kitchenware", "Istanbul", ("export@anatolia-kw.example",), ("+90 212 632 97 52",)),
)

SHARED_OFFICE = "reception@bc-zarya.example"
SHARED_ACCOUNTS = "buh@severveter.example"

PERSONS = (
    Person("belova", "Ирина Белова", "Белова Ирина Павловна", "Ирина Павловна", True, "bt", ("buyer",),
           "i.belova@bt-moskva.example", ("8 916 632-98-01",), "менеджер по закупкам", writes_html=True),
    Person("dronov", "Максим Дронов", "Дронов Максим Евгеньевич", "Максим", False, "bt", ("buyer", "stock"),
           "m.dronov@bt-moskva.example", ("+7 (916) 632-98-02", "(495) 632-98-16 доб. 14"), "заведующий складом"),
    Person("karpov", "Олег Карпов", "Карпов Олег Дмитриевич", "Олег Дмитриевич", False, "sever", ("buyer",),
           "karpov@severveter.example", ("8-921-632-98-03",), "коммерческий директор", charset="windows-1251"),
    Person("lebedeva", "Наталья Лебедева", "Лебедева Наталья Юрьевна", "Наталья Юрьевна", True, "sever", ("books",),
           "lebedeva@severveter.example", ("8 (812) 632-97-11",), "главный бухгалтер", charset="windows-1251",
           more_emails=(SHARED_ACCOUNTS,)),
    Person("ozerova", "Алла Озерова", "Озерова Алла Борисовна", "Алла Борисовна", True, "sever", (),
           "ozerova@severveter.example", ("8 (812) 632-97-12",), "бухгалтер", more_emails=(SHARED_ACCOUNTS,)),
    Person("goncharov", "Сергей Гончаров", "Гончаров Сергей Викторович", "Сергей Викторович", False, "gonch",
           ("buyer", "stock"), "goncharov@tulashop.example", ("+7 910 632 98 04",), "", charset="koi8-r"),
    Person("zhukova", "Марина Жукова", "Жукова Марина Алексеевна", "Марина Алексеевна", True, "uyut", ("buyer",),
           "zhukova@uyutdom.example", ("8 (922) 632-98-05",), "категорийный менеджер", writes_html=True),
    Person("orlov", "Павел Орлов", "Орлов Павел Ильич", "Павел", False, "uyut", ("stock",),
           "p.orlov@uyutdom.example", ("89226329806",), "начальник склада"),
    Person("fomin", "Алексей Фомин", "Фомин Алексей Романович", "Алексей", False, "trans", ("carrier",),
           "fomin@7verst.example", ("8 903 632-98-07",), "логист", manager="boris"),
    Person("melnikova", "Светлана Мельникова", "Мельникова Светлана Игоревна", "Светлана Игоревна", True, "roscha",
           ("horeca", "rooms"), "melnikova@berezroscha.example", ("+7-919-632-98-08",), "управляющая", writes_html=True),
    Person("galiev", "Тимур Галиев", "Галиев Тимур Рашидович", "Тимур Рашидович", False, "kazan", ("buyer", "stock"),
           "galiev@kazanopt.example", ("8 (917) 632 98 09",), "директор", charset="koi8-r"),
    Person("tkachuk", "Людмила Ткачук", "Ткачук Людмила Сергеевна", "Людмила Сергеевна", True, "debet", ("auditor",),
           "tkachuk@debetplus.example", ("8 926 632-98-10",), "ведущий бухгалтер"),
    Person("kuzmin", "Виктор Кузьмин", "Кузьмин Виктор Петрович", "Виктор Петрович", False, "master", ("workshop",),
           "kuzmin@zolotruki.example", ("+7 (903) 632-98-11",), "старший мастер", charset="windows-1251",
           manager="vera"),
    Person("romanova", "Дарья Романова", "Романова Дарья Кирилловна", "Дарья", True, "ceh", ("horeca",),
           "dasha@vkusceh.example", ("8 985 632 98 12",), "управляющая"),
    Person("safonov", "Никита Сафонов", "Сафонов Никита Андреевич", "Никита", False, "ugol", ("horeca",),
           "nikita@teplyugol.example", ("8(904)632-98-13",), "владелец", writes_html=True),
    Person("panina", "Елена Панина", "Панина Елена Викторовна", "Елена Викторовна", True, "raduga", ("office",),
           "panina@raduga-deti.example", ("8 929 632-98-14",), "директор"),
    Person("nechaev", "Андрей Нечаев", "Нечаев Андрей Львович", "Андрей Львович", False, "stroy", ("office",),
           "nechaev@stroykm.example", ("+79256329815",), "отдел снабжения", more_emails=(SHARED_OFFICE,)),
    Person("gromova", "Юлия Громова", "Громова Юлия Максимовна", "Юлия", True, "ottisk", ("printer",),
           "gromova@ottisk.example", ("8 968 632-98-17",), "менеджер заказов", writes_html=True,
           more_emails=(SHARED_OFFICE,)),
    Person("whitfield", "Emma Whitfield", "Emma Whitfield", "Emma", True, "larkhill", ("supplier",),
           "emma.whitfield@larkhill.example", ("+44 (0)20 7946-0118",), "Export Sales", "en", writes_html=True,
           manager="boris"),
    Person("thornley", "James Thornley", "James Thornley", "James", False, "larkhill", ("ledger",),
           "accounts@larkhill.example", ("0044 20 7946 0119",), "Accounts", "en", manager="boris"),
    Person("weidner", "Jonas Weidner", "Jonas Weidner", "Jonas", False, "nordhaus", ("supplier", "dealer"),
           "j.weidner@nordhaus.example", ("+49 (0)30 23125-042",), "Area Manager", "en", manager="boris"),
    Person("tamme", "Kadri Tamme", "Kadri Tamme", "Kadri", True, "baltwind", ("freight",),
           "kadri@baltwind.example", ("+372 5632 9820",), "Forwarding", "en", manager="boris"),
    Person("donovan", "Claire Donovan", "Claire Donovan", "Claire", True, "harbour", ("hotel",),
           "c.donovan@harbourpine.example", ("+44 131 496 0152",), "Procurement", "en", writes_html=True),
    Person("karadag", "Selim Karadag", "Selim Karadag", "Selim", False, "anatolia", ("supplier", "dealer"),
           "selim@anatolia-kw.example", ("+90 532 632 98 21",), "Sales Manager", "en", manager="boris"),
    Person("kozlova", "Мария Козлова", "Козлова Мария Андреевна", "Мария", True, "", ("private",),
           "m.kozlova@pochta.example", ("8 (915) 632-98-22",)),
    Person("ryabov", "Антон Рябов", "Рябов Антон Геннадьевич", "Антон", False, "", ("private",),
           "ryabov.anton@pochta.example", ("+7 977 632 98 23",), writes_html=True),
    Person("tihonova", "Галина Степановна", "Тихонова Галина Степановна", "Галина Степановна", True, "", ("private",),
           "gstihonova@pochta.example", ("8-906-632-98-24",), charset="koi8-r"),
    Person("semenov", "Кирилл Семёнов", "Семёнов Кирилл Игоревич", "Кирилл", False, "", ("private",),
           "kir.semenov@pochta.example", ("89636329825",)),
    Person("hughes", "Daniel Hughes", "Daniel Hughes", "Daniel", False, "", ("guest",),
           "daniel.hughes@letters.example", ("+44 29 2018 0126",), "", "en", manager="vera"),
    Person("lindqvist", "Nora Lindqvist", "Nora Lindqvist", "Nora", True, "", ("guest",),
           "nora.lindqvist@letters.example", ("+46 70 174 06 27",), "", "en", writes_html=True, manager="vera"),
)  # fmt: skip

# Callers whom nobody knows, as the telephone company writes them.
STRANGERS_PHONES = ("84956329890", "+79166329891", "8-800-632-98-92", "79036329893", "84996329894", "anonymous")

USER_BY_KEY = {user.key: user for user in USERS}
PERSON_BY_REF = {person.ref: person for person in PERSONS}
PARTNER_BY_REF = {partner.ref: partner for partner in PARTNERS}
