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

_BEGINNING, _FEW = 300, 150  # words: what a paywall lets through; what a notice takes
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
    r"\b(?:(?:we|our partners?|this (?:site|website)|\w+) uses? cookies|accept (?:all|cookies)"
    r"|cookie (?:policy|settings|preferences)"
    r"|(?:your|manage|give|withdraw) (?:consent|privacy (?:choices|settings))|legitimate interests?"
    r"|personali[sz]ed ads"
    r"|store and/or access information on a device|zustimm(?:en|ung)|einwilligung|cookies (?:und|zulassen"
    r"|akzeptieren)"
    r"|nous utilisons des cookies|accepter (?:et|les cookies|tout)|consentement|utilizamos cookies"
    r"|aceptar (?:todas|cookies)"
    r"|consentimiento|utilizziamo i cookie|accetta|consenso|wij gebruiken cookies|akkoord|файлы cookie"
    r"|کوکی|ملفات تعريف الارتباط)",
    re.I,
)
_NOT_FOUND = re.compile(
    r"\b(?:404|(?:page|article|story|content|post|file) (?:you (?:requested|are looking for) )?(?:was "
    r"|is |could |can)?"
    r"(?:not|n['’o]t|no longer) (?:be )?(?:found|available|exist)|page (?:doesn['’]t|does not) exist"
    r"|not found|no longer available"
    r"|seite (?:wurde )?nicht gefunden|nicht (?:mehr )?verfügbar|page (?:introuvable|non trouvée)"
    r"|n['’]existe (?:pas|plus)"
    r"|página no (?:encontrada|existe)|no se encuentra|página não encontrada|pagina non trovata|pagina niet gevonden"
    r"|sayfa bulunamadı|strony nie znaleziono"
    r"|страница не найдена|не существует)\b|یافت نشد|پیدا نشد|غير موجودة|页面不存在"
    r"|ページが見つかりません|페이지를 찾을 수 없",
    re.I,
)


def flags(page: Declarations, title: str, text: str, left_out: str) -> tuple[str, ...]:
    """The flags of a page with this title and running text; `left_out` are the lines that cleaning dropped."""
    words = len(text.split()) or len(text) // 2
    found = []
    asks = _SUBSCRIBE.search(f"{text[-2000:]}\n{left_out[:5000]}") is not None
    locked = _is_locked(page)
    if (locked and (asks or words < max(_BEGINNING, _declared_words(page) / 2))) or (asks and words < _BEGINNING):
        found.append("paywall")
    consents = {m[0].lower() for m in _CONSENT.finditer(text[:5000])}
    if words < _BEGINNING and len(consents) >= 3 and not page.article:
        found.append("cookie-wall")
    if words < _FEW and _NOT_FOUND.search(title[:200]) and (not text or _NOT_FOUND.search(text[:1000]) or words < 40):
        found.append("soft-404")
    return tuple(found)


def _is_locked(page: Declarations) -> bool:
    """Whether the page declares that it is not to be read for free."""
    said = [node.get("isAccessibleForFree") for node in page.linked if "isAccessibleForFree" in node]
    tier = page.meta("article:content_tier", "article:tier").lower()
    return tier in ("locked", "metered") or any(str(value).strip().lower() in ("false", "no", "0") for value in said)


def _declared_words(page: Declarations) -> int:
    """The article's length as JSON-LD states it; 0 where it does not."""
    stated = str(page.article.get("wordCount") or "")
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 7 else 0
