"""ISO 4217: currency codes, the decimals of their minor units, and the signs shops write instead of codes."""

from __future__ import annotations

from typing import Final

# The codes in force, and a few withdrawn since 2010 that old feeds still carry. Two decimals unless listed below.
_CODES: Final = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BYR BZD CAD CDF "
    "CHF CLF CLP CNY COP CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD "
    "HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL "
    "LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN "
    "PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY "
    "TTD TWD TZS UAH UGX USD UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG ZWL"
)
_OTHER_DECIMALS: Final = {
    0: "BIF BYR CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

DECIMALS: Final[dict[str, int]] = dict.fromkeys(_CODES.split(), 2) | {
    code: decimals for decimals, codes in _OTHER_DECIMALS.items() for code in codes.split()
}
"""Code → decimals of the minor unit: 2 for EUR, 0 for JPY, 3 for KWD."""

# A bare "$" and "¥" are read as the currency most feeds mean by them. "kr" is left out: three countries use it.
_SIGNS: Final[dict[str, str]] = {
    "$": "USD", "US$": "USD", "A$": "AUD", "AU$": "AUD", "C$": "CAD", "CA$": "CAD", "HK$": "HKD", "NZ$": "NZD",
    "S$": "SGD", "NT$": "TWD", "R$": "BRL", "MX$": "MXN", "€": "EUR", "£": "GBP", "¥": "JPY", "￥": "JPY", "円": "JPY",
    "CN¥": "CNY", "元": "CNY", "₽": "RUB", "РУБ": "RUB", "РУБЛЕЙ": "RUB", "Р": "RUB", "₴": "UAH", "ГРН": "UAH",
    "₸": "KZT", "ТГ": "KZT", "₹": "INR", "RS": "INR", "₩": "KRW", "₫": "VND", "Đ": "VND", "₺": "TRY", "TL": "TRY",
    "₪": "ILS", "฿": "THB", "₱": "PHP", "₦": "NGN", "₼": "AZN", "₾": "GEL", "֏": "AMD", "ZŁ": "PLN", "KČ": "CZK",
    "FT": "HUF", "LEI": "RON", "ЛВ": "BGN", "RP": "IDR", "RM": "MYR",
    # Yandex Market's price lists name the rouble by its code of before 1998 and mean today's.
    "RUR": "RUB",
}  # fmt: skip


def currency_code(name: str) -> str | None:
    """ISO 4217 code that a code or sign in any case stands for; None if it stands for none."""
    key = name.strip().rstrip(".").upper()
    if key in DECIMALS:
        return key
    return _SIGNS.get(key)
