"""Letters that are no correspondence: newsletters, robots, strangers, spam, drafts; and the texts of SMS."""

# Topic and text of each issue of a supplier's newsletter.
NEWSLETTER_SENDER = ("Журнал «Полка и витрина»", "news@polka-vitrina.example")
NEWSLETTER = (
    (
        "Выпуск 41: как выкладывать мелкую технику перед праздниками",
        """В этом выпуске: почему чайники продаются лучше рядом с чаем, три ошибки в ценниках и интервью с владельцем магазина в
Туле, который отказался от скидок.

Читайте также: календарь выставок на полугодие.""",
    ),
    (
        "Выпуск 42: возвраты без скандалов",
        """Как обучить продавца спокойно принимать возврат, что изменилось в правилах и почему вежливый отказ обходится дешевле
экспертизы.

В конце письма — шаблон заявления, который можно распечатать.""",
    ),
    (
        "Выпуск 43: склад на 200 метров",
        """Адресное хранение для маленького склада: с чего начать, сколько стоит разметка и когда уже пора покупать сканер.

Опрос читателей: какая доля брака для вас терпима?""",
    ),
    (
        "Выпуск 44: итоги осени в цифрах",
        """Что покупали чаще: обогреватели обогнали кофемашины, блендеры вернулись в корзину, а мультиварки ушли со скидкой.

Таблица по категориям — внутри.""",
    ),
)
NEWSLETTER_EN_SENDER = ("Kettle & Co. Trade Weekly", "weekly@ketteltrade.example")
NEWSLETTER_EN = (
    (
        "This week: freight rates ease, plastics get dearer",
        """Short-sea rates fell for the third week running, while food-grade plastics rose by 4%. Also in this issue: five questions
to ask before you change your packaging supplier.""",
    ),
    (
        "This week: what buyers asked at the autumn fairs",
        """Quieter kettles, fewer screens, longer warranties: we walked the halls and listened. Plus: the new energy label explained in
two minutes.""",
    ),
    (
        "This week: repairability scores are coming",
        """What the draft rules mean for small appliances, which spare parts have to be kept for how long, and who will check it.""",
    ),
)

# Away messages: whose they are is decided by whom we wrote to.
AWAY_RU = """{hi}

Я в отпуске до {day+6} и на письма не отвечаю. По срочным вопросам звоните в офис, коллеги помогут.

Это письмо отправлено автоматически."""
AWAY_EN = """{hi}

Thank you for your message. I am out of the office until {day+6} with limited access to e-mail. For urgent matters please
call our office.

This is an automatic reply."""

STRANGERS = (
    (
        ("Ольга Н.", "olga.n84@pochta.example"),
        "Подскажите по доставке в Рязань",
        """Здравствуйте!

Доставляете ли вы в Рязань физлицам и сколько это стоит? Интересует обогреватель в детскую, чтобы не сушил воздух. Какой
посоветуете?""",
    ),
    (
        ("Артём Власов", "vlasov@gruzovichok-ok.example"),
        "Перевозки по Москве и области: коммерческое предложение",
        """Добрый день!

Предлагаем перевозки по Москве и области: свой парк, 14 машин, подача от двух часов. Для новых клиентов первый рейс со
скидкой 20%. Кому можно позвонить по этому вопросу?""",
    ),
    (
        ("Priya Nair", "priya.nair@cedarlane.example"),
        "Do you ship to Malta?",
        """Hello,

I came across your catalogue and would like twelve bread makers for a cookery school in Malta. Do you ship there, and could
you issue an invoice in euros?""",
    ),
    (
        ("Рекрутинг «Кадры рядом»", "hello@kadry-ryadom.example"),
        "Кандидаты на склад",
        """Здравствуйте!

У нас есть четыре проверенных кладовщика с правами на погрузчик, готовы выйти на следующей неделе. Интересно ли вам
посмотреть анкеты?""",
    ),
    (
        ("Глеб", "gleb.1979@pochta.example"),
        "не могу дозвониться",
        """Второй день не могу дозвониться, всё время занято. Перезвоните
пожалуйста, вопрос по гарантии на пылесос. Спасибо""",
    ),
    (
        ("Lukas Brandt", "l.brandt@messebau-brandt.example"),
        "Exhibition stand for spring",
        """Dear Sir or Madam,

We build exhibition stands and noticed that you have booked 24 sqm for the spring fair. May we send you two sketches free of
charge?""",
    ),
    (
        ("Администрация БЦ «Вертикаль»", "office@bc-vertikal.example"),
        "Плановое отключение воды",
        """Уважаемые арендаторы!

В четверг с 10:00 до 14:00 в здании отключат холодную воду. Кафе на первом этаже в это время не работает. Приносим извинения за
неудобства.""",
    ),
)

# From the office centre's shared address: nobody can tell which of its two owners writes.
SHARED = (
    (
        "Посылка для вас на ресепшен",
        """Добрый день!

Курьер оставил для вас образцы печати, конверт А4. Забрать можно до 19:00, скажите на ресепшен название компании.""",
    ),
    (
        "Пропуск на завтра",
        """Добрый день!

На завтра заказан пропуск для вашей машины, въезд со стороны двора, шлагбаум 2. Если номер поменяется, напишите сюда до 17:00.""",
    ),
    (
        "Акт подписан",
        """Добрый день!

Акт подписали, второй экземпляр лежит у нас, заберите, пожалуйста, с курьером.""",
    ),
)

# The mail that says UTF-8 and is not.
LYING = (
    "Справка для бухгалтерии",
    """Здравствуйте!

Высылаю справку о состоянии расчётов за месяц. Если буквы в письме выглядят странно, напишите: меняем почтовую программу.""",
)

# What we wrote to an address that is no more, and what the server says.
LOST = """Добрый день!

Отправляем письмо ещё раз: в прошлый раз ответа не было. Если этим занимается другой человек, перешлите ему, пожалуйста."""
BOUNCE_TOPIC = "Undelivered Mail Returned to Sender"
BOUNCE = """This is the mail system.

Your message could not be delivered to one or more recipients. It is attached below.

<ADDRESS>: 550 5.1.1 no such user here"""

SPAM = (
    (
        "Вы выиграли кофемашину!!!",
        "Поздравляем! Ваш адрес выбран из 1 000 000 участников. Перейдите по ссылке и укажите номер карты.",
    ),
    ("Cheap web traffic for your shop", "We bring 50 000 visitors in one week. Guaranteed. Reply YES for a quote."),
    ("Обналичивание, дёшево", "Быстро. Без вопросов. Пишите."),
    ("Re: Re: your invoice", "Please open the attached document and enable editing to see the invoice."),
)

DRAFTS = (
    ("Коммерческое предложение для сети кафе", "Добрый день!\n\nПредлагаем вам (дописать, уточнить цены у Бориса)"),
    ("Re: Partnership enquiry", "Dear Selim,\n\nregarding exclusivity: (to be discussed with Boris first)"),
)

# What customers write by SMS, and what we write; with the slots of a story.
SMS_IN = (
    "Добрый день! Машина будет сегодня? Ждём до 17:00",
    "Заказ {order} получили, спасибо!",
    "{user}, перезвоните пожалуйста, как освободитесь",
    "Пропуск заказали, номер машины {plate}, верно?",
    "Не успеваю к {time}, буду на полчаса позже",
    "Оплатили счёт {invoice}, проверьте",
    "Можно перенести доставку на завтра, после обеда?",
    "Адрес тот же, подъезд 2, код 14К",
    "Мастер приехал, всё починил. Спасибо большое",
    "Подскажите, {one} ещё в наличии?",
)
SMS_IN_EN = (
    "Running 15 min late, please wait for me at reception",
    "Goods received, all fine. Thanks!",
    "Can you call me back today? It is about order {order}",
    "Seal {serial} confirmed at the border",
)
SMS_OUT = (
    "Заказ {order} собран, машина {plate} будет {wd+1} с 9 до 12. Ромашка",
    "Ваш ремонт готов, можно забрать с 9 до 20. Ромашка, сервис",
    "Счёт {invoice} на {sum} руб. отправлен на вашу почту. Ромашка",
    "Курьер приедет {wd+1} с 18 до 20, позвонит за полчаса. Ромашка",
    "{name}, не дозвонились до вас, напишите, когда удобно. {user}, Ромашка",
)
SMS_OUT_EN = (
    "Order {order} left our warehouse, delivery {wd+3}. Romashka",
    "{name}, tried to reach you, please call back when convenient. {user}, Romashka",
)
SMS_STRANGER = (
    "Здравствуйте, вы работаете в субботу?",
    "Это магазин? Нашли ваш номер в каталоге",
    "Скиньте прайс на чайники пожалуйста",
)
