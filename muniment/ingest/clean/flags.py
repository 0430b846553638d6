"""What stands in an article's place: a paywall's teaser, a wall of cookies, a "not found" served as found.

    paywall       the page says that it is not free, or asks for a subscription, and shows no more than a beginning
    cookie-wall   the text is a request for consent
    soft-404      title and text say that nothing is here

Such a page is kept and shown as it is; the flag says that its text is not the article's. Each needs two signs that
agree, for an article about cookies, or with a subscription box below it, is an article.
"""

from __future__ import annotations

import re

from muniment.ingest.clean.metadata import Declarations

_BEGINNING, _FEW, _LINE = 300, 150, 40  # words: what a paywall lets through; what a notice takes; a short one
_SUBSCRIBE = re.compile(
    r"(?:subscribe|sign (?:in|up)|log ?in|register|become a (?:member"
    r"|subscriber)) (?:now )?to (?:continue|read|keep|unlock|access)"
    r"|(?:to (?:continue|keep) reading|continue reading (?:this|with)|for subscribers only"
    r"|subscriber[- ](?:only|exclusive)"
    r"|(?:article|story|content) is (?:reserved )?for (?:our )?(?:subscribers|members)"
    r"|already a (?:subscriber|member)\?)"
    r"|(?:nur|exklusiv) für (?:abonnent|mitglieder)|abonnieren sie,? um|jetzt weiterlesen|weiterlesen mit"
    r"|als abonnent"
    r"|réservé (?:aux|à nos) abonnés|il vous reste \d+|abonnez-vous pour|pour lire la suite"
    r"|(?:exclusivo )?para su(?:s|scriptores)|suscr[ií]bete para|para seguir leyendo"
    r"|conteúdo exclusivo para assinantes"
    r"|riservato agli abbonati|abbonati per|alleen voor abonnees|только для подписчиков|оформите подписку"
    r"|للمشتركين فقط|اشترك لمتابعة|ویژه مشترکان|برای ادامه مطالعه|会員限定|구독자 전용",
    re.I,
)
_CONSENT = re.compile(
    r"\b(?:(?:we|(?:our )?partners?|this (?:site|website)|\w+) uses? cookies|(?:accept|reject) (?:all|cookies)"
    r"|cookie (?:policy|settings|preferences)"
    r"|(?:your|manage|give|withdraw) (?:consent|privacy (?:choices|settings))|legitimate interests?"
    r"|personali[sz]ed ads|consent framework"
    r"|stor(?:e|ing) and(?:/or)? access(?:ing)? information on (?:a|your) device"
    r"|zustimm(?:en|ung)|einwilligung|cookies (?:und|zulassen|akzeptieren)|verwenden (?:wir )?cookies"
    r"|alle akzeptieren|datenschutz(?:erklärung|einstellungen)|privacy center"
    r"|nous utilisons des cookies|accepter (?:et|les cookies|tout)|tout (?:accepter|refuser)|consentement"
    r"|utilizamos cookies|aceptar (?:todas|cookies)"
    r"|consentimiento|utilizziamo i cookie|accetta|consenso|gebruiken (?:wij )?cookies|akkoord|toestemming|файлы cookie"
    r"|کوکی|ملفات تعريف الارتباط)",
    re.I,
)
_CONSENT_TITLE = re.compile(
    r"cookie|\bconsent|before you (?:continue|go on)|(?:your|value) privacy|privacy settings|privatsphäre|datenschutz"
    r"|einwilligung|votre vie privée|consentement|su privacidad|sua privacidade|کوکی",
    re.I,
)
_WHAT = r"(?:page|article|story|content|post|file|url|document|video)"
_GONE_PAGE = re.compile(  # in a title these words need what they are said of, for people are not found either
    rf"\b(?:error:? 404|404(?=\s*(?:$|[|:–—-]|error\b|not found|page|file))"
    rf"|{_WHAT} (?:you (?:requested|(?:are|were) looking for) )?(?:was |is |could |can|ca)?(?:not|n['’]t|no longer)"
    rf" (?:be )?(?:found|available|exist)"
    rf"|{_WHAT} (?:doesn['’]t|does not|no longer) exists?|{_WHAT} (?:is )?unavailable"
    rf"|{_WHAT} has been (?:removed|deleted)"
    r"|(?:seite|artikel|beitrag|inhalt) (?:wurde |ist )?(?:leider )?nicht (?:mehr )?(?:gefunden|verfügbar|vorhanden)"
    r"|(?:page|article) (?:introuvable|non trouvée?|n['’]existe (?:pas|plus))"
    r"|página no (?:encontrada|existe)|página não (?:foi )?encontrada|pagina non trovata|pagina niet gevonden"
    r"|sayfa bulunamadı|strony nie znaleziono|страница не (?:найдена|существует))"
    r"|^(?:error:? |http )*not found\b"
    r"|(?:صفحه|مطلب|محتوا|نشانی).{0,20}(?:یافت|پیدا) نشد|(?:الصفحة|المحتوى).{0,20}غير موجود"
    r"|页面不存在|ページが見つかりません|페이지를 찾을 수 없",
    re.I,
)
_NOTHING_HERE = re.compile(
    r"\b(?:404|not (?:be )?found|no longer (?:available|exists?)|(?:doesn['’]t|does not) exist"
    r"|(?:find|locate) (?:the|that|this) page|page you (?:requested|(?:are|were) looking for)|nothing was found"
    r"|has been (?:removed|deleted)"
    r"|nicht gefunden|nicht (?:mehr )?verfügbar|existiert (?:leider )?nicht|introuvable|n['’]existe (?:pas|plus)"
    r"|no se encuentra|no existe|não encontrada|non trovata|niet gevonden|не найдена|не существует)\b"
    r"|یافت نشد|پیدا نشد|غير موجودة|页面不存在|ページが見つかりません|페이지를 찾을 수 없",
    re.I,
)
_OOPS = re.compile(r"\W*(?:oops|whoops|uh[- ]oh|(?:we['’]re |we are )?sorry|error|hoppla|oups|vaya)\b|\W*$", re.I)


def flags(page: Declarations, title: str, text: str, left_out: str) -> tuple[str, ...]:
    """The flags of a page with this title and running text; `left_out` are the lines that cleaning dropped."""
    words = len(text.split()) or len(text) // 2
    found = []
    asks = _SUBSCRIBE.search(f"{text[-2000:]}\n{left_out[:5000]}") is not None
    locked = _is_locked(page)
    if (locked and (asks or words < max(_BEGINNING, _declared_words(page) / 2))) or (asks and words < _BEGINNING):
        found.append("paywall")
    consents = {m[0].lower() for m in _CONSENT.finditer(text[:5000])}
    titled = words < _FEW and _CONSENT_TITLE.search(title[:200]) is not None
    if words < _BEGINNING and len(consents) >= 3 - titled and not page.article:
        found.append("cookie-wall")
    if words < _FEW and _is_gone(title[:200], text[:1000], words):
        found.append("soft-404")
    return tuple(found)


def _is_gone(title: str, text: str, words: int) -> bool:
    """Whether title and text say that nothing is here."""
    if _GONE_PAGE.search(title):
        return words < _LINE or _NOTHING_HERE.search(text) is not None
    says = _GONE_PAGE.search(text) or _NOTHING_HERE.search(text)
    return words < _LINE and _OOPS.match(title) is not None and says is not None


def _is_locked(page: Declarations) -> bool:
    """Whether the page declares that it is not to be read for free."""
    said = [node.get("isAccessibleForFree") for node in page.linked if "isAccessibleForFree" in node]
    tier = page.meta("article:content_tier", "article:tier").lower()
    return tier in ("locked", "metered") or any(str(value).strip().lower() in ("false", "no", "0") for value in said)


def _declared_words(page: Declarations) -> int:
    """The article's length as JSON-LD states it; 0 where it does not."""
    stated = str(page.article.get("wordCount") or "")
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 7 else 0
