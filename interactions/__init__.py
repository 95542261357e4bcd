"""The vocabulary of Ringmail, one sentence for each noun. This floor only thinks: values and pure functions, no I/O.

arrival      what a connector brought from outside: a mail, a change of a call, an SMS (`arrivals`)
interaction  what we keep of it: one phone call, meeting, e-mail, SMS or planned interaction (`records`)
participant  somebody's role in one interaction, with the words and the address as they were given (`records`)
key          the canonical form of an address: an e-mail in lower case, a number in E.164 (`addresses`, `phones`)
address      a key that was seen at least once; contacts own addresses, for a time, and several may share one
party        an address that nobody owns yet
contact      somebody we know: a partner (a company), a contact person, an individual, a user (`contacts`)
chain        interactions that belong together, of any types; its first member is its subject until … (`chains`)
subject      … a deal, a claim or a campaign takes that place for the whole chain (`subjects`)
own          our side: mailboxes, aliases, lines, extensions and the people behind them; never a customer
decision     what to write for one arrival, given what is already known (`admission`)
attention    reviewed, review after, on control: whether a person should still look (`attention`)
"""
