"""What the simulator says, in Turkish and English; `Accept-Language` changes these texts and nothing else.

STP publishes no list of result codes: the codes here are ours. Code names of states and types beyond those quoted in
the venue's document (STANDART, OPEN, APPROVED …) are invented too.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

Language: TypeAlias = Literal["tr-TR", "en-US"]
ResultType: TypeAlias = Literal["SUCCESS", "BUSINESSERROR", "SYSTEMERROR", "SECURITYERROR"]

_RESULTS: dict[str, tuple[str, str]] = {
    "REQ-0001": ("İstek okunamadı", "The request cannot be read"),
    "REQ-0002": ("headers alanı zorunludur", "The field headers is required"),
    "REQ-0003": ("transactionId geçerli bir UUID olmalıdır", "transactionId must be a UUID"),
    "REQ-0004": ("application zorunludur", "application is required"),
    "REQ-0005": ("{0} alanı zorunludur", "The field {0} is required"),
    "REQ-0006": ("{0} alanı geçersiz", "The field {0} is not valid"),
    "BID-0001": ("Teklif fiyatı sınırların dışındadır", "The bid price is outside its limits"),
    "BID-0002": ("Teklif miktarı sınırların dışındadır", "The bid quantity is outside its limits"),
    "BID-0003": ("Kontrat işleme kapalıdır", "The contract is closed for trading"),
    "BID-0004": ("Teklif bulunamadı", "The bid was not found"),
    "BID-0005": ("Teklif artık açık değildir", "The bid is no longer open"),
    "BID-0006": ("Teklif durumu bu işlem için geçersizdir", "The bid status does not fit this operation"),
    "BID-0007": ("expireTime bu teklif için geçersizdir", "expireTime does not fit this bid"),
    "BID-0008": ("Şebeke noktası bu kontrata ait değildir", "The point does not belong to this contract"),
    "CON-0001": ("Kontrat bulunamadı", "The contract was not found"),
    "CON-0002": ("Kontrat zaten tanımlıdır", "The contract exists already"),
    "CON-0003": ("Gaz günleri bu kontrat tipi için geçersizdir", "The gas days do not fit this contract type"),
    "GATE-0001": ("Kapı bulunamadı", "The gate was not found"),
    "GATE-0002": ("Kapının bitişi başlangıcından sonra olmalıdır", "A gate must end after it starts"),
    "MATCH-0001": ("Eşleşme bulunamadı", "The match was not found"),
    "SEC-0001": ("Geçersiz servis bileti", "The service ticket is not valid"),
    "SEC-0002": ("Bu işlem için yetkiniz yoktur", "You have no right to this operation"),
    "SYS-0001": ("Sistem hatası", "System error"),
}

_NAMES: dict[str, tuple[str, str]] = {
    "ACCEPTED": ("Kabul edildi", "Accepted"),
    "ACTIVE": ("Aktif", "Active"),
    "APPROVED": ("Onaylandı", "Approved"),
    "AUTOMATIC": ("Otomatik", "Automatic"),
    "BID_GATE": ("Teklif Kapısı", "Bid gate"),
    "BUY": ("Alış", "Buy"),
    "CANCEL": ("İptal", "Cancelled"),
    "CANCELLED": ("İptal edildi", "Cancelled"),
    "CLOSED": ("Kapalı", "Closed"),
    "MANUAL": ("Elle", "Manual"),
    "NEW": ("Yeni", "New"),
    "OPEN": ("Açık", "Open"),
    "PARTIAL": ("Kısmi eşleşmiş", "Partly matched"),
    "PASSIVE": ("Pasif", "Passive"),
    "REGIONAL": ("Bölgesel", "Regional"),
    "REJECTED": ("Reddedildi", "Rejected"),
    "SELL": ("Satış", "Sell"),
    "STANDART": ("Standart", "Standard"),
    "WAITING": ("Bekliyor", "Waiting"),
    "WEEKLY": ("Haftalık", "Weekly"),
}


class Refused(Exception):
    """The engine says no: a result code of ours, and the names that go into its text."""

    def __init__(self, code: str, *details: str, result_type: ResultType = "BUSINESSERROR") -> None:
        super().__init__(code)
        self.code = code
        self.details = details
        self.result_type: ResultType = result_type


def language_of(accept_language: str | None) -> Language:
    """Turkish unless the first language asked for is English."""
    return "en-US" if (accept_language or "").strip().lower().startswith("en") else "tr-TR"


def result_text(code: str, details: tuple[str, ...], language: Language) -> str:
    """The sentence of a result code; an unknown code (a scripted fault's) speaks for itself."""
    turkish, english = _RESULTS.get(code, (code, code))
    return (english if language == "en-US" else turkish).format(*details)


def _text(name: str, language: Language) -> str:
    turkish, english = _NAMES.get(name, (name, name))
    return english if language == "en-US" else turkish


def named(name: str, language: Language) -> dict[str, Any]:
    """A lookup value as ``{name, localization{language, text}}``."""
    return {"name": name, "localization": {"language": language, "text": _text(name, language)}}


def coded(name: str, language: Language) -> dict[str, Any]:
    """A lookup value as ``{value, text}``, the older spelling of the same (StringType)."""
    return {"value": name, "text": _text(name, language)}
