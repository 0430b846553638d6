"""The wording of page chrome in plain text: what share buttons, bylines, captions and related-article lists say.

English, French, German, Spanish, Persian, Arabic; a little Russian and Italian.
Each pattern is meant for a whole line, stripped.
"""

from __future__ import annotations

import re

SHARE = re.compile(
    r"^(?:(?:share|tweet|print|e-?mail|facebook|twitter|x|whats\s?app|telegram|linked\s?in|pinterest"
    r"|reddit|instagram"
    r"|youtube|copy link|save|flipboard|messenger|viber|threads|bluesky|mastodon|post|pocket|link"
    r"|partager|imprimer|envoyer|courriel|teilen|drucken|compartir|imprimir"
    r"|اشتراک(?:\s?گذاری)?|چاپ|ایمیل|تلگرام|توییتر|توئیتر|فیس\s?بوک|واتس\s?اپ|لینک کوتاه|مشاركة|شارك"
    r"|طباعة|فيسبوك|تويتر|واتساب|تيليجرام|تلغرام)"
    r"(?:\s+(?:this|on|with|via|to|by|sur|par|auf|en|article|post|story|page|cet|in|در|على|عبر|the"
    r"|now))*[\s,|/•·+&\d-]*)+$",
    re.I,
)
BOILERPLATE = re.compile(
    r"^(?:(?:leave a (?:reply|comment)|subscribe|sign (?:up|in)|newsletter|sponsored|you (?:may"
    r"|might) also (?:like|enjoy)"
    r"|read (?:more|also|next|the full)|see also|also read|more (?:from|on|in|stories|news|about)"
    r"|most (?:read|popular|viewed)"
    r"|trending|recommended|tags?\s*:|topics?\s*:|filed under|categories\s*:|category\s*:|skip to"
    r"|all rights reserved|copyright"
    r"|©|\(c\) \d{4}|privacy policy|terms (?:of|and|&)|cookie|we use cookies|this (?:site"
    r"|website) uses|follow us|click here"
    r"|download (?:our|the) app|get (?:our|the) (?:app|newsletter)|join our|your email address"
    r"|required fields|post navigation"
    r"|previous (?:article|post|story)|next (?:article|post|story)|related (?:articles?|posts?|stories"
    r"|news|topics|content|links)"
    r"|lire (?:aussi|la suite|plus)|à lire|voir aussi|sur le même (?:sujet|thème)|abonnez|inscrivez"
    r"|tous droits réservés"
    r"|читайте также|подписывайтесь|комментарии|все права защищены|(?:add|post|view|read|see"
    r"|show) (?:your |all |the |\d+ )?comments?|have your say|report (?:a|this) |add to|mehr zum thema"
    r"|lesen sie|mehr dazu|lea también|ver también|te puede interesar|leggi anche|leia também"
    r"|بیشتر بخوانید|مطالب مرتبط|اخبار مرتبط|خبرهای مرتبط|همچنین بخوانید|برچسب\s?ها|کلیدواژه|نظرات"
    r"|ارسال نظر|دیدگاه|عضویت"
    r"|تمامی حقوق|کلیه حقوق|اقرأ أيضا|اقرأ المزيد|مواضيع ذات صلة|أخبار ذات صلة|مقالات ذات صلة"
    r"|الكلمات المفتاحية|جميع الحقوق|اشترك|تابعنا|الوسوم).*"
    r"|related:?|advertisement|advert|comments?(?: \(?\d+\)?)?|menu|search|home|log ?in|register"
    r"|back to top|about us|contact(?: us)?"
    r"|loading\.*|\d+ (?:shares?|views?|comments?|min(?:ute)?s? read)|publicité|anzeige|publicidad"
    r"|تبلیغات|إعلان)$",
    re.I,
)
CAPTION = re.compile(
    r"^(?:video|photos?|image|picture|watch|listen|gallery|file photo|file|graphic|infographic|map"
    r"|podcast|tweet|caption|photo credit"
    r"|photographie|vidéo|crédit|légende|foto|фото|видео|bild|vídeo|imagen|ویدئو|ویدیو|فیلم|عکس|تصویر"
    r"|صورة|فيديو|شاهد)\s*[:：|–—-]\s*\S"
    r"|\((?:photo|image|credit|picture|photograph|getty|reuters|ap|afp|file|foto|crédit|عکس"
    r"|صورة)\b[^)]*\)\s*$"
    r"|^(?:photograph|photo|image|picture|illustration)s?(?: courtesy| by|/)|^courtesy of"
    r"|\b(?:getty images|shutterstock|file photo|reuters/|/reuters|afp/|ap photo)",
    re.I,
)
BYLINE = re.compile(
    r"^(?:by|written by|von|par|por|author\s*:|auteur\s*:|autor\s*:|نویسنده\s*:?|به قلم|بقلم\s*:?"
    r"|كتب\s*:|الكاتب\s*:)\s+([^.!?؟]{3,80})$",
    re.I,
)
COMMENTS = re.compile(
    r"^(?:(?:\d+|no|all|your|readers?['’]?s?|latest|recent|newest|most|view|show|see|read|leave|post|add|submit"
    r"|write|join|top|a|the)\s)*(?:comments?|replies|responses|discussion|conversation|comentarios|commentaires"
    r"|kommentare|комментарии|نظرات|دیدگاه\S*|التعليقات|تعليقات)\b.{0,40}$",
    re.I,
)
COMMENTED = re.compile(
    r"^(?:reply|report\b.*|click to rate.*|rating\b.*|like|recommend|permalink|reply to .*|flag.*"
    r"|\d+ (?:votes?|likes?|replies|antworten)\b.*|.{2,40} (?:says|said|wrote|writes|commented)\s*:?"
    r"|posted (?:by|on|at)\b.*|.{0,40}\b\d+ (?:minutes?|hours?|days?|weeks?|months?|years?) ago\b.*"
    r"|(?:newest|oldest|best rated|worst rated|most (?:liked|replied))\b.*|log ?in to (?:comment|reply).*"
    r"|antworten|répondre|responder|ответить|پاسخ|رد)$",
    re.I,
)
