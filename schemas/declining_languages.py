"""Refusals in other languages: a negation beside a word of knowing, telling or having, in eighteen of them."""

import re

ELSEWHERE = re.compile(
    "|".join(
        (
            # es, pt, fr, it
            r"\bno (?:(?:lo|la|les?|se|me|te|nos) )*(?:sé\b|se(?: (?:qui[eé]n|d[oó]nde|cu[aá]l|cu[aá]nd|cu[aá]nt"
            r"|qu[eé]|c[oó]mo|si|la respuesta|nada|de)|$)|sabemos|sabr[ií]a|conozco|conocemos"
            r"|recuerdo|reconozco|puedo|podemos|podr[ií]a|tengo|tenemos|dispongo|disponemos|cuento|contamos|poseo"
            r"|estoy (?:segur|en condici|autoriza|al tanto|familiariza)|soy capaz|logro|consigo|aparece|consta"
            r"|figura|es posible|se puede|hay (?:\w+ )*(?:informaci|datos|forma|manera|suficiente)|existe|identifico"
            r"|muestra|menciona|indica|proporciona|revela|contiene|permite|ofrece|incluye|encuentr|encontr"
            r"|est[aá] (?:claro|disponible|permitido))"
            r"|\bno (?:\w+ )?(?:muestra|menciona|indica|contiene|proporciona)\b|\bdesconozco|\bignoro\b|\bni idea\b"
            r"|\bninguna? (?:idea|informaci|dato|pista)|\bsin informaci|\bno (?:est[aá] )?(?:disponible|conocid"
            r"|especificad|identificad)|\bse desconoce|\bdesconocid[ao]$|\bimposible (?:saber|determinar|decir"
            r"|identificar)|\bincapaz de"
            r"|\b(?:não|nao) (?:(?:o|a|me|se|lhe|te|tenho como|faço|há) )*(?:sei|sabemos|posso|podemos|consigo"
            r"|conseguimos|tenho|temos|conheço|conheco|disponho|possuo|reconheço|estou|sou capaz|lembro|fui|consta"
            r"|ideia|informa|é (?:possível|possivel|conhecid|público)|está|existe|identific|mostra|menciona|indica"
            r"|contém|fornece|revela|permite|encontrei|há|dá para)"
            r"|\bdesconheço|\bsem (?:ideia|informa|dados)|\bnenhuma (?:ideia|informa|pista)|\bfaço ideia"
            r"|\bdesconhecid[ao]$|\bimpossível (?:saber|dizer|determinar|identificar)"
            r"|\b(?:ne|n)['’ ]?\s?(?:(?:le|la|les|en|y|me|vous|lui|l['’]|m['’]|nous) ?)*(?:sais|connais|connai|peux"
            r"|puis|pouvons|dispose|disposons|possède|possede|suis pas|suis malheureusement|reconnais|souviens"
            r"|parviens|arrive|détiens|detiens|vois"
            r"|ai (?:\w+ )*(?:pas|aucun)|ai accès|permet|figure|indique|précise|mentionne|est (?:\w+ )*(?:pas|ni)"
            r" (?:\w+ )*(?:possible|connu|visible|disponible|précis|clair|identifi|indiqu|mentionn|fourni)|montre"
            r"|fournit)"
            r"|\b(?:sais|connais|suis) pas\b|\b(?:j|je l)['’]ignore|\baucune? (?:idée|idee|information|donnée|trace"
            r"|indication|info)|\bimpossible (?:de|à|pour)|\b(?:in|pas )capable d|\bpas en mesure|\bj['’]ai oublié"
            r"|\binconnue?s?$|\bdonner ma langue"
            r"|\bnon (?:(?:lo|la|mi|ne|ho|è) )*(?:so|sappiamo|posso|conosco|ho|sono (?:in grado|sicur|a conoscenza"
            r"|autorizz)|riesco|dispongo|è possibile|possibile|idea|ricordo|riconosco|noto|dato sapere)|\bnessuna"
            r" (?:idea|informazion)"
            # de, nl
            r"|\bwei(?:ß|ss) (?:\w+ ){0,4}?(?:nicht|nichts|niemand)|\bkein\w* (?:\w+ )?(?:ahnung|information|angabe"
            r"|daten|auskunft|antwort|kenntnis|hinweis|schimmer|zugriff|wissen|idee|eintr|aussage|erinnerung"
            r"|möglichkeit)"
            r"|\b(?:kann|können|konnte|könnte|darf|möchte|werde|will|vermag) (?:\w+,? ){0,9}?(?:nicht|nichts"
            r"|keine?n?|leider|kein\w*) (?:\w+ ){0,5}?(?:sagen|beantworten|identifizieren|erkennen|bestimmen|angeben"
            r"|feststellen|helfen|mitteilen|nennen|wissen|machen|geben|weitergeben|bestätigen|beurteilen|spekulieren"
            r"|erinnern|zuordnen|ermitteln|preisgeben)"
            r"|\b(?:ist|sind|wurde|wird|bleibt) (?:\w+ ){0,5}?(?:nicht|un)\s?(?:\w+ )?(?:bekannt|ersichtlich|möglich"
            r"|erkennbar|klar|angegeben|verfügbar|sichtbar|feststellbar|erwähnt|vertraut)|\bnicht (?:sicher|bekannt"
            r"|ersichtlich|möglich|erkennbar|in der lage|befugt|identifizier|überfragt)|\bunbekannt\b|\bkenne"
            r" (?:\w+ ){0,4}?nicht|\bverfüge (?:\w+ ){0,4}?(?:nicht|keine)|\b(?:zeigt|enthält|verrät|liefert)"
            r" (?:\w+ ){0,3}?(?:nicht|keine?)\b|\büberfragt|\bentzieht sich|\blässt sich (?:\w+ ){0,5}?nicht"
            r"|\bweet (?:\w+ ){0,3}?niet|\bgeen (?:idee|informatie|antwoord|gegevens)|\b(?:kan|mag)"
            r" (?:\w+ ){0,6}?(?:niet|geen) (?:\w+ ){0,3}?(?:zeggen|beantwoorden|identificeren|herkennen|vaststellen"
            r"|geven|helpen)"
            # id, tr, pl
            r"|\b(?:tidak|tak|tdk|belum|nggak|gak|ga|enggak|bukan) (?:\w+ ){0,2}?(?:tahu|tau|dapat|bisa|memiliki"
            r"|punya|mempunyai|mengenal|mengenali|diketahui|yakin|ada (?:informasi|data|petunjuk|keterangan)"
            r"|mengetahui|mampu|tersedia|mungkin|jelas|menemukan|menunjukkan|memuat|mengandung|menyebutkan"
            r"|memberikan|ingat|mengingat|kenal|pasti|menampilkan|berwenang|disebutkan|diperbolehkan|familiar)"
            r"|\bkurang tahu|\bentahlah|\bmohon maaf\b.*\btidak|\bbilmiyorum|\bbilgim yok|\bbilgiye sahip değilim"
            r"|\bnie (?:wiem|mogę|znam|mam (?:informacji|pojęcia))"
            # ru
            r"|\bне (?:\w+ ){0,3}?(?:зна|мог|име|располага|помн|уверен|удалось|удаётся|удается|известн|знаком|указан"
            r"|узна|облада|владе|в состоянии|скаж|могу|могла|могу|увер|представля|дано|разглаш|раскрыва|определ"
            r"|показыва|содерж|указыва|упомин|позволя|видно|смог|буду|хватает|в курсе|предоставл|ясно|понятно)"
            r"|\bнет (?:\w+ ){0,3}?(?:информац|данн|сведен|ответ|поняти|возможност|доступ|представлени|иде)"
            r"|\bнеизвест|\bзатрудня|\bневозможно|\bпонятия не|\bбез понятия|\bнедостаточно (?:информац|данн)"
            r"|\bзабыл|\bотсутству"
            # zh, ja, ko
            r"|(?:不|没|沒|无|無|未|难以|難以|缺乏|缺少).{0,10}?(?:知|清楚|了解|瞭解|确定|確定|识别|識別|辨认|辨識|认识|認識|回答|提供|信息|資訊|资讯|资料|資料|数据|說|说"
            r"|透露|判断|判斷|相关|相關|找到|得知|知晓|记录|記錄|熟悉|认出|明|印象|头绪|答案|详|詳|办法|告知|告诉|推测|得到|能力|权限|看出|方式|从|记得|敢|便)"
            r"|(?:回答|判断|判斷|确定|確定|说|說|认|認|知道|看|告诉|告訴|提供|识别|辨认|查|找|给|想|答|认不|猜)不(?:了|出|到|清|上来|起来|得)|^(?:无可奉告|無可奉告|未知|不详"
            r"|不詳|不明)"
            r"|(?:分|わ)か(?:り|ら|んな)|知り?(?:ま|ら)(?:せ|な)|存じ(?:上げ)?(?:ま|な)|(?:特定|回答|判断|判別|識別|確認|お答え|答え|提供|推測|お伝え|断定|お手伝い"
            r"|読み取|申し上げ).{0,10}?(?:できま|できな|でき(?:ん|ず)|かね|困難|難し|不可|控え|ません)|不明|(?:情報|データ|記録|手がかり|知識|心当たり"
            r"|記憶).{0,10}?(?:ありま|あり|ない|なく|持っ|持ち|ござい|存在しま|不足|含まれて)|覚えて(?:い|お)?(?:な|ま)|見当が|見当も|さっぱり|お答えできない"
            r"|모르|모릅|알 수 없|알지 못|없습니다|어렵습니다|죄송"
            # hi, bn
            r"|(?:पता|मालूम|मालुम|जानकारी|जानता|जानती|जानते|ज्ञात|याद|ज्ञान|सकता|सकती|सकते|पाऊँगा|पाऊंगा|पहचान"
            r"|निश्चित|स्पष्ट|उपलब्ध|संभव|उत्तर|जवाब|बता).{0,22}?(?:नहीं|नही|असमर्थ|ना\b)|(?:नहीं|नही).{0,14}?(?:पता"
            r"|मालूम|जानता|जानती|जानते|सकता|सकती|सकते|जानकारी|ज्ञात|याद|है)|अज्ञात|असमर्थ"
            r"|(?:জানি|জানা|পারি|পারব|পারছি|তথ্য|চিনি|চিনতে|নিশ্চিত|সম্ভব|বলতে|ধারণা|মনে|উত্তর|শনাক্ত|সনাক্ত|স্পষ্ট"
            r"|উল্লেখ|উপলব্ধ).{0,25}?(?:না|নেই|নয়|নই|নাই|অক্ষম)|অজানা|অক্ষম"
            # ar, ur, fa
            r"|(?:لا|لم|لست|ليس|ليست|لن|غير|ما|دون|بدون) ?.{0,22}?(?:أعرف|اعرف|أعلم|اعلم|أعلمه|أستطيع|استطيع|يمكن"
            r"|أملك|املك|لدي|أتذكر|اتذكر|معلوم|متأكد|معروف|متاح|متوفر|متوفرة|قادر|واضح|أدري|ادري|فكرة|عندي|علم|معرفة"
            r"|تحديد|أتعرف|تتوفر|توجد|يوجد|أمتلك|امتلك|يظهر|تظهر|مؤكد)|مجهول|يتعذر|يصعب|تعذر|أجهل|للأسف"
            r"|(?:معلوم|علم|جانتا|جانتی|معلومات|سکتا|سکتی|سکتے|پتا|پتہ|یقین|یاد|پہچان|واضح|دستیاب|ممکن"
            r"|جواب).{0,25}?(?:نہیں|نہ\b|قاصر)|نہیں.{0,15}?(?:معلوم|جانتا|جانتی|سکتا|سکتی|پتا|پتہ|علم|ہے|ہوں)"
            r"|نامعلوم|قاصر|نمی‌?دانم",
        )
    ),
    re.IGNORECASE,
)
"""Negations beside words of knowing, telling and having; searched in a piece as it is written, in lower case."""
