"""Words that say little of what a sentence asks: articles, pronouns, prepositions, the verbs of questions.

They stay in the index, where phrases need them, and a query of words that must all be there keeps them. They are left
out of a sentence any of whose words will do (language.any_of), which nearly every article would match otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache

from muniment.index import analysis

SENTENCE = 2  # so many of them tell that a text is a sentence of the language; one may be a name, or another language's

_LISTS = {
    "ar": "في من على إلى عن مع هذا هذه ذلك تلك التي الذي الذين ما ماذا هو هي هم أن إن كان كانت لا لم لن أو و ثم قد"
    " كل بعد قبل عند حتى بين كيف متى أين لماذا هل",
    "da": "af at blev da de dem den denne der deres det dette dig din du efter eller en er et for fra få ham han"
    " hans har havde hende hun hvad hvem hvis hvor hvordan hvorfor i ikke ind jeg kan kunne med men mig min"
    " mod nogle nu når og også om op os over på sig sin skal som så til ud under var ved vi vil ville vor være"
    " været",
    "de": "ab aber als also am an auch auf aus bei beim bin bis bist da dann das dass daß dem den der des dessen"
    " die dies diese diesem diesen dieser dieses doch du durch ein eine einem einen einer eines er es für"
    " gegen hat hatte hatten haben ich ihr ihre ihrem ihren ihrer im in ins ist ja kann kein keine können man"
    " mehr mich mit nach nicht noch nun nur ob oder ohne schon sehr sein seine seinem seinen seiner seit sich"
    " sie sind so über um und uns unter vom von vor wann war waren warum was weil welche welchem welchen"
    " welcher welches wenn wer werden wie wir wird wo wurde wurden zu zum zur zwischen",
    "en": "a about above after against all also am an and any are as at be because been before being below between"
    " both but by can could did do does doing down during each few for from further had has have having he her"
    " here hers him his how i if in into is it its itself just ll may me might more most must my no nor not"
    " now of off on once only or other our out over own re same shall she should so some such t than that the"
    " their them then there these they this those through to too under until up upon us ve very was we were"
    " what when where which while who whom whose why will with within without would you your",
    "es": "a al ante aquel aquella como con contra cual cuales cuando cuándo cómo de del desde donde dónde dos e el"
    " él ella ellas ellos en entre era eran es esa ese eso esta está están estas este esto estos fue fueron ha"
    " han hasta hay la las le les lo los más me mi muy ni no nos o para pero por porque que qué quien quién se"
    " ser si sí sin sobre son su sus también te tiene un una unas uno unos y ya yo",
    "fa": "از با به بر برای تا در را که و یا هم آن این آنها ما شما او من است هست بود بودند شد شده شود می باشد کرد"
    " کرده کردند کند دارد دارند خود یک هر چه چرا چگونه کجا کدام آیا نیز اما اگر پس روی بین",
    "fi": "ei en että han hän he ja jo joka jos kanssa kuin kuka kun me mikä miksi minä missä mitä mutta myös ne"
    " niin ole oli olla on ovat se sekä sen siinä sinä tai tämä vai",
    "fr": "à au aux avec c ce ces cet cette comme comment d dans de des donc dont du elle elles en entre est et été"
    " étaient était être eu il ils j je l la le les leur leurs lui m mais me même mes mon n ne nos notre nous"
    " on ont ou où par pas pour pourquoi plus qu quand que quel quelle quelles quels qui quoi s sa sans se ses"
    " si son sont sous sur t ta te tes toi ton tu un une vos votre vous y",
    "it": "a ad agli ai al alla alle allo anche che chi ci come con cosa cui d da dagli dai dal dalla dalle degli"
    " dei del dell della delle dello di dove e è ed era erano gli ha hanno i il in io l la le lei lo loro lui"
    " ma mi ne negli nei nel nell nella nelle noi non o per perché più qual quale quali quando quella quelle"
    " quelli quello questa queste questi questo se si sia sono sta su sua sugli sui sul sulla sulle suo suoi"
    " tra un una uno",
    "nb": "alle at av ble bli da de deg dem den denne der deres det dette din du eller en enn er et etter for fra"
    " før ha han hans har hadde hennes hun hva hvem hver hvilke hvilken hvis hvor hvordan hvorfor i ikke inn"
    " jeg kan kunne man med meg men min mot noe noen nå når og også om opp oss over på seg sin skal skulle som"
    " så til ut under var ved vi vil ville vært være",
    "nl": "aan als bij dan dat de der deze die dit door een en er haar had hebben heeft hem het hij hoe hun ik in"
    " is kan maar me meer met mijn na naar niet nog nu of om omdat onder ons ook op over te tegen toch toen"
    " tot uit van veel voor waar waarom wanneer was wat we welk welke werd wie wij wordt worden ze zich zij"
    " zijn zo zonder zou",
    "pl": "a ale bez bo by był była było były być ci co czy dla do gdy gdzie go i ich ile im ja jak jako jaki jakie"
    " jego jej jest jeszcze już kiedy kto która które który lub ma mi my na nad nie o od on ona oni po pod"
    " przed przez przy są się ta tak tam te tego tej ten to tu tym w we więc z za ze że",
    "pt": "a ao aos as às até com como da das de dela dele do dos e é ela elas ele eles em entre era eram essa esse"
    " esta está este foi foram há isso isto já lhe mais mas me mesmo muito na não nas nem no nos o os ou para"
    " pela pelas pelo pelos por porque qual quais quando que quem se sem ser seu seus sua suas são também te"
    " tem um uma umas uns onde",
    "ru": "а без был была были было быть в вам вас во вот все всё вы где для до его ее если есть еще же за и из или"
    " им их к как какая какие какой когда который которая которые кто ли между меня мне мы на над нас не него"
    " нет ни но о об он она они оно от по под почему при про с со так там то того тоже только том ты у уже"
    " чего чем что чтобы эта эти это этот я",
    "sv": "alla att av blev bli de dem den denna deras dess det detta dig din du där efter ej eller en er ett från"
    " för ha hade han hans har hennes hon hur i icke inte jag kan kunde man med mig min mot ni nu när någon"
    " något några och om oss på samma sedan sig sin ska skulle som så till under upp ut vad var vara varför"
    " vem vi vid vilka vilken vilket än är över",
    "tr": "ama bir biz bu bunu çok da daha de değil dir en gibi hangi hem her için ile ise kadar ki kim mı mi mu mü"
    " nasıl ne neden nerede niçin o olan olarak onlar sen siz şu ve veya ya",
    "uk": "а але без був була були було бути в ви він вона вони воно все де для до його її з за зі і із або й як"
    " яка які який коли кому куди ми на над не ні о об під по при про та так там те тому то ти у це цей ці чи"
    " чого чому що щоб я",
}  # fmt: skip


def without(found: Sequence[str], languages: Collection[str] = ()) -> Sequence[str]:
    """The folded words of a sentence less those that say little; all of them where no other is left.

    Which language it is in shows by which one has most of these words among them: one of `languages` (tags) where they
    are given, else any that has SENTENCE of them.
    """
    tags, least = (tuple(languages), 1) if languages else (tuple(_LISTS), SENTENCE)
    distinct = set(found)
    counts = {tag: len(distinct & _words(tag)) for tag in tags}
    likely = max(tags, key=counts.__getitem__, default="")
    if not likely or counts[likely] < least:
        return found
    return [word for word in found if word not in _words(likely)] or found


def left_out(found: Sequence[str], languages: Collection[str] = ()) -> Sequence[str]:
    """The words that `without` leaves out, each once, in their order."""
    kept = set(without(found, languages))
    return [word for word in dict.fromkeys(found) if word not in kept]


@lru_cache(32)
def _words(tag: str) -> frozenset[str]:
    # Word by word: Persian affixes among them would be joined to the word before.
    same = {"no": "nb", "nn": "nb"}
    return frozenset(folded for word in _LISTS.get(same.get(tag, tag), "").split() for folded in analysis.words(word))
