"""What cannot be right is refused with a sentence a trader understands, before anything leaves this machine."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gridwire.epias_stp import PRODUCTION, TEST, Account, BidType, EpiasStp, match_change, payment
from gridwire.errors import ConfigurationError, InvalidInput, ReadOnly, Unconfirmed, WrongLoop
from gridwire.outcome import OrderRef, Rejected
from tests.acceptance.epias_stp.floor import BID, TODAY, Floor, Writes, accepted, floor
from tests.conftest import EPOCH
from tests.support.planted import PASSWORD

NAIVE = datetime(2026, 12, 1, 12)


def nothing_left(f: Floor) -> None:
    """No ticket was asked for and no call was made."""
    assert len(f.venue.log) == 0
    assert len(f.venue.cas.log) == 0


BIDS: list[tuple[dict[str, Any], str]] = [
    (
        {"price": 12000.5},
        'price=12000.5 is of type float: .* Write price="12000.50" (a str or a Decimal in TL/1000 Sm3)',
    ),
    ({"price": 12000}, "price=12000 is of type int: .* or price_cents=1200050"),
    ({"price": "12.000,50"}, "is not a plain number; write the digits with a point for the decimals"),
    ({"price": "12000.505"}, "has too many decimals; in TL/1000 Sm3 it may have 2"),
    ({"price": "-1"}, "is negative"),
    ({"price": Decimal("NaN")}, "is not a number of TL/1000 Sm3"),
    ({"price": True}, "is of type bool"),
    ({"price": "1", "price_cents": 100}, "not both"),
    ({"price": None}, 'A bid needs price="12000.50" or price_cents=1200050'),
    ({"price": None, "price_cents": 1.5}, "price_cents=1.5 is of type float; it takes an int"),
    ({"price": None, "price_cents": -5}, "is negative; a price is not"),
    ({"quantity": -5}, "quantity=-5 is less than 1; quantity is a number of 1000 Sm3"),
    ({"quantity": 0}, "quantity=0 is less than 1"),
    ({"quantity": 1.5}, "quantity is a whole number of 1000 Sm3, given as an int"),
    ({"quantity": 155.0}, "is of type float; quantity is a whole number"),
    ({"quantity": Decimal("1.5")}, "is of type Decimal; quantity is a whole number"),
    ({"quantity": Fraction(3, 2)}, "is of type Fraction; quantity is a whole number"),
    ({"quantity": "155"}, "is of type str; quantity is a whole number"),
    ({"quantity": True}, "is of type bool"),
    ({"quantity": 2**63}, "larger than the venue can hold"),
    ({"direction": "Buy"}, 'is not a side; write direction="BUY" or direction="SELL"'),
    ({"bid_type": "LIMIT"}, "is not a bid_type that STP documents; these are"),
    ({"bid_status": "CANCEL"}, "is a state that STP gives a bid"),
    ({"bid_type": "MATCH_WITH_TIME_LIMIT"}, "needs expire_time=, the moment it is to expire"),
    ({"bid_type": BidType.MATCH_WITH_TIME_LIMIT, "expire_time": NAIVE}, "expire_time.*time zone"),
    ({"expire_time": EPOCH}, "would not expire then"),
    ({"transaction_id": "order-7"}, "is not a UUID, which STP requires"),
    ({"point_name": " "}, "point_name is empty"),
]


@pytest.mark.parametrize(("change", "sentence"), BIDS, ids=[f"{n}-{next(iter(c))}" for n, (c, _) in enumerate(BIDS)])
async def test_bad_bid_is_refused_with_a_sentence_and_nothing_leaves(change: dict[str, Any], sentence: str) -> None:
    pattern = re.escape(sentence).replace(r"\.\*", ".*")
    async with floor() as f:
        with pytest.raises(InvalidInput, match=pattern) as caught:
            await f.stp.bids.save(TODAY, **{**BID, **change})
        nothing_left(f)
        assert isinstance(caught.value, ValueError)
        assert f.stp.unknown() == []


@pytest.mark.parametrize("contract", ["", " ", " GG20261201", "GG20261201\n", "GG\x00", None, 7, b"GG20261201"])
async def test_contract_that_is_no_name_is_refused(contract: Any) -> None:
    async with floor() as f:
        with pytest.raises(InvalidInput, match="contract"):
            await f.stp.bids.save(contract, **BID)
        with pytest.raises(InvalidInput, match="contract"):
            await f.stp.contracts.depth(contract)
        with pytest.raises(InvalidInput, match="contracts"):
            await f.stp.matches.of([contract])
        nothing_left(f)


async def test_bad_changes_are_refused() -> None:
    async with floor() as f:
        with pytest.raises(
            InvalidInput, match="a change restates the whole bid, and a bare id does not say what it was"
        ):
            await f.stp.bids.update("1000001", price="1", quantity=5)
        with pytest.raises(InvalidInput, match="quantity=-1"):
            await f.stp.bids.update("1000001", price="1", quantity=-1, bid_status="ACTIVE")
        with pytest.raises(InvalidInput, match="takes the reference of an accepted bid"):
            await f.stp.bids.update(1000001, price="1", quantity=5)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="takes the reference of an accepted bid"):
            await f.stp.bids.cancel(None)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="bid_id is empty"):
            await f.stp.bids.cancel("")
        nothing_left(f)


async def test_bid_without_a_known_id_is_pointed_to_the_venues_screen() -> None:
    async with floor() as f:
        order = await f.bid()
        lost = OrderRef(order.venue, None, order.intent, order.restated)
        with pytest.raises(
            InvalidInput, match=f"Cancel it on the STP screen, quoting the transactionId {order.intent.key}"
        ):
            await f.stp.bids.cancel(lost)
        assert f.venue.log.calls("bid_cancel") == []


async def test_bad_operator_calls_are_refused() -> None:
    async with floor(user="OPERATOR1") as f:
        stp = f.stp
        calls: list[tuple[Callable[[], Awaitable[Any]], str]] = [
            (lambda: stp.matches.of([]), "contracts is empty"),
            (lambda: stp.matches.change_status([]), "changes is empty"),
            (lambda: stp.matches.change_status([{"matchId": "1"}]), "match_change"),  # type: ignore[list-item]
            (lambda: stp.payments.order([]), "orders is empty"),
            (lambda: stp.payments.order([{"amount": 1}]), "payment"),  # type: ignore[list-item]
            (lambda: stp.contract_gates.update(11), "Nothing to change"),
            (lambda: stp.contract_gates.update(11, start_date=NAIVE), "time zone"),
            (lambda: stp.contract_gates.update(-1, start_date=EPOCH), "gate_id"),
            (lambda: stp.contract_gates.change_status(11, gate_status=""), "gate_status is empty"),
            (lambda: stp.market_prices.calculate_grp("STANDART", NAIVE), "time zone"),
            (
                lambda: stp.contracts.save(
                    "STANDART", direction="BUY", quantity=-1, gas_days=date(2026, 12, 1), physical_point_ids=[]
                ),
                "quantity=-1",
            ),
            (
                lambda: stp.contract_configuration.save(
                    TODAY,
                    dap_scope_date=NAIVE,
                    dap_final_date=EPOCH,
                    grp_scope_date=EPOCH,
                    grp_final_date=EPOCH,
                ),
                "dap_scope_date.*time zone",
            ),
            (
                lambda: stp.contract_configuration.save(
                    TODAY,
                    dap_scope_date=EPOCH,
                    dap_final_date=EPOCH,
                    grp_scope_date=EPOCH,
                    grp_final_date=EPOCH,
                    market_ceiling_price=1.5,  # type: ignore[arg-type]
                ),
                r"market_ceiling_price=1\.5 is of type float",
            ),
        ]
        for call, sentence in calls:
            with pytest.raises(InvalidInput, match=sentence):
                await call()
        nothing_left(f)


def test_bad_payments_and_match_changes_are_refused_where_they_are_made() -> None:
    with pytest.raises(InvalidInput, match=r"amount=1\.5 is of type float"):
        payment(1, eic="40X", amount=1.5, request_time=EPOCH)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="more than zero"):
        payment(1, eic="40X", amount="0", request_time=EPOCH)
    with pytest.raises(InvalidInput, match="time zone"):
        payment(1, eic="40X", amount="1", request_time=NAIVE)
    with pytest.raises(InvalidInput, match="description is empty"):
        match_change("1", status="CANCELLED", description="")


# ---------------------------------------------------------------------------------------------------------------------
# What is not ours to refuse


async def test_contract_names_are_never_refused_from_a_cache() -> None:
    async with floor() as f:
        assert "GG20261231" not in [contract.name for contract in await f.stp.contracts.standard()]
        early = await f.stp.bids.save("GG20261231", **BID)
        assert isinstance(early, Rejected)
        assert (early.origin, early.code) == ("venue", "CON-0001")

        operator = await f.client("OPERATOR1")
        accepted(
            await operator.contracts.save(
                "STANDART", direction="BUY", quantity=1, gas_days=date(2026, 12, 31), physical_point_ids=[]
            )
        )
        number = f.venue.market.contracts["GG20261231"].gate.id
        accepted(await operator.contract_gates.update(number, start_date=EPOCH))
        await f.bid(contract="GG20261231")


async def test_new_bid_type_of_the_venue_can_be_sent_by_name() -> None:
    async with floor() as f:
        outcome = await f.stp.bids.save(TODAY, **BID, bid_type=BidType("ICEBERG"))
        assert isinstance(outcome, Rejected)
        assert outcome.origin == "venue"
        assert len(f.venue.log) == 1


async def test_lower_case_user_name_is_warned_of_and_sent_as_it_is() -> None:
    async with floor() as f:
        f.venue.cas.passwords["trader1"] = PASSWORD
        f.venue.market.users["trader1"] = f.venue.market.users["TRADER1"]
        stp = await f.client(replace(f.account(), username="trader1"))
        (warning,) = f.told("cas.username_case")
        assert "lower-case letters" in warning.text
        await f.bid(stp)
        assert f.venue.log[0].user == "trader1"


# ---------------------------------------------------------------------------------------------------------------------
# Clients that must not write, and accounts that cannot be right


async def test_read_only_client_refuses_every_write_and_reads() -> None:
    async with floor() as f:
        writes = await Writes.arrange(f)
        trader, operator = await f.client(read_only=True), await f.client("OPERATOR1", read_only=True)
        barred = Writes(f, trader, operator, writes.resting, writes.match_id)
        calls = len(f.venue.log)
        for operation in ("bid_save", "bid_update", "bid_cancel", "contract_save", "contract_conf_save"):
            with pytest.raises(ReadOnly, match=f"{operation} would change something, and this client is read-only"):
                await barred.call(operation)
        for operation in (
            "contract_gate_update",
            "contract_gate_change_status",
            "match_change_status",
            "payment_order",
        ):
            with pytest.raises(ReadOnly, match="Nothing was sent"):
                await barred.call(operation)
        assert len(f.venue.log) == calls
        await trader.contracts.standard()
        assert len(f.venue.log) == calls + 1


def account(profile: Any, **changes: Any) -> Account:
    return Account(replace(profile, **changes), "TRADER1", SecretStr(PASSWORD))


@pytest.mark.parametrize(
    ("mixed", "names"),
    [
        (account(TEST, stp_url=PRODUCTION.stp_url), "stp_url names stp.epias.com.tr, which belongs to production"),
        (account(TEST, service=PRODUCTION.service), "service names stp.epias.com.tr, which belongs to production"),
        (account(TEST, cas_url=PRODUCTION.cas_url), "cas_url names cas.epias.com.tr, which belongs to production"),
        (account(PRODUCTION, cas_url=TEST.cas_url), "cas_url names testcas.epias.com.tr, which belongs to test"),
        (account(PRODUCTION, stp_url="https://TESTSTP.epias.com.tr"), "stp_url names teststp.epias.com.tr"),
        (account(PRODUCTION, stp_url="https://teststp.epias.com.tr."), "stp_url names teststp.epias.com.tr"),
        (account(PRODUCTION, environment="test"), "belongs to production"),
        (account(TEST, environment="sandbox"), "a sandbox is on this machine"),
        (account(TEST, stp_url="teststp.epias.com.tr"), "must be a full address with https://"),
    ],
)
async def test_test_and_production_are_never_mixed(mixed: Account, names: str) -> None:
    with pytest.raises(ConfigurationError, match=names):
        EpiasStp(mixed)


async def test_cleartext_off_this_machine_is_refused_before_a_password_leaves() -> None:
    with pytest.raises(ConfigurationError, match="cas_url must be a full address with https://"):
        EpiasStp(account(TEST, cas_url="http://testcas.epias.com.tr/cas/v1"))


async def test_something_else_than_an_account_is_refused_with_the_right_spelling() -> None:
    with pytest.raises(ConfigurationError, match=r"EpiasStp takes an account: Sandbox.* This is a str"):
        EpiasStp("TRADER1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"timeout": 0}, "timeout must be a number of seconds above 0"),
        ({"ca_bundle": "/no/such.pem"}, "ca_bundle names /no/such.pem, which is not a file"),
        ({"proxy": "socks5://127.0.0.1:1"}, "proxy must be an http"),
        ({"confirmed": ["engine_pth"]}, "confirmed= names engine_pth; the fields that can be confirmed are: none"),
        ({"message_format": "XML"}, 'message_format is "json" or "xml"'),
        ({"language": "de"}, 'language is "tr-tr" or "en-us"'),
        ({"application": ""}, "application is empty"),
        ({"application": "a\x00b"}, "application="),
    ],
)
async def test_options_that_cannot_work_are_refused_when_the_client_is_made(
    option: dict[str, Any], sentence: str
) -> None:
    async with floor() as f:
        with pytest.raises((ConfigurationError, InvalidInput), match=sentence):
            EpiasStp(f.account(), **option)


async def test_client_that_is_not_open_says_so() -> None:
    async with floor() as f:
        stp = EpiasStp(f.account())
        with pytest.raises(WrongLoop, match="not open: use it inside `async with`"):
            await stp.contracts.standard()
        with pytest.raises(WrongLoop, match="Nothing was sent"):
            await stp.bids.save(TODAY, **BID)
        nothing_left(f)
        assert stp.unknown() == []


# ---------------------------------------------------------------------------------------------------------------------
# Production


async def test_unconfirmed_fields_are_named_before_a_write_relies_on_them() -> None:
    async with EpiasStp(account(PRODUCTION)) as stp:
        with pytest.raises(
            Unconfirmed, match=r"'cas_url' is only of medium confidence, because .*'engine_path'.* Ask EPİAŞ"
        ) as caught:
            await stp.bids.save(TODAY, **BID)
        assert "confirmed=['cas_url', 'engine_path', 'service', 'quantity_unit']" in str(caught.value)
        assert "Nothing was sent" in str(caught.value)
    for confirmed, missing in (
        (["engine_path", "service", "quantity_unit"], "cas_url"),
        (["cas_url", "engine_path"], "service"),
        (["cas_url", "engine_path", "service"], "quantity_unit"),
    ):
        async with EpiasStp(account(PRODUCTION), confirmed=confirmed) as stp:
            with pytest.raises(Unconfirmed, match=f"'{missing}' is only of medium confidence"):
                await stp.bids.save(TODAY, **BID)


async def a_desk(stp: EpiasStp) -> None:
    stp.desk()


LOGINS: dict[str, Callable[[EpiasStp], Awaitable[object]]] = {
    "a read": lambda stp: stp.contracts.depth(TODAY),
    "the broadcast": lambda stp: anext(aiter(stp.broadcast())),
    "warming up": lambda stp: stp.warm_up(),
    "an operator's call": lambda stp: stp.contract_gates.change_status(1, gate_status="CLOSED"),
    "a desk": a_desk,
}


@pytest.mark.parametrize("call", LOGINS)
async def test_no_password_goes_to_production_before_the_address_of_its_login_is_confirmed(call: str) -> None:
    """pytest-socket would fail this test at the first look for a name."""
    known = ["engine_path", "service", "quantity_unit"]
    async with EpiasStp(account(PRODUCTION), confirmed=known) as stp:
        with pytest.raises(Unconfirmed, match=r"'cas_url'.*giris\.epias\.com\.tr.*Nothing was sent") as caught:
            await LOGINS[call](stp)
        assert "GRIDWIRE_EPIAS_STP_CONFIRMED=" in str(caught.value)
        assert stp.ticket_stats().logins == 0


async def test_production_at_an_address_of_this_machine_is_refused() -> None:
    async with floor() as f:
        here = f.venue.profile
        for changes in ({"cas_url": here.cas_url}, {"stp_url": here.stp_url}):
            for profile in (TEST, PRODUCTION):
                with pytest.raises(ConfigurationError, match="Are settings of a sandbox left"):
                    EpiasStp(account(profile, **changes))
        nothing_left(f)


# ---------------------------------------------------------------------------------------------------------------------
# from_env


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No settings of this machine; the current folder is empty."""
    for name in ("ENVIRONMENT", "USERNAME", "PASSWORD", "CAS_URL", "STP_URL", "SERVICE"):
        monkeypatch.delenv(f"GRIDWIRE_EPIAS_STP_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_no_environment_is_an_error_that_names_the_three(clean: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"GRIDWIRE_EPIAS_STP_ENVIRONMENT to sandbox .* test .* or production"):
        EpiasStp.from_env()
    with pytest.raises(ConfigurationError, match="must be one of sandbox, test, production"):
        EpiasStp.from_env(environment="prod")


def test_missing_user_and_password_are_named(clean: Path) -> None:
    with pytest.raises(ConfigurationError, match="set GRIDWIRE_EPIAS_STP_USERNAME to the DGPYS user name"):
        EpiasStp.from_env(environment="test")
    with pytest.raises(ConfigurationError, match="No password is set for TRADER1: set GRIDWIRE_EPIAS_STP_PASSWORD"):
        EpiasStp.from_env(environment="test", username="TRADER1")


async def test_sandbox_is_found_through_the_environment_it_describes(
    clean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with floor() as f:
        with pytest.raises(
            ConfigurationError, match="The sandbox has no fixed address: set GRIDWIRE_EPIAS_STP_CAS_URL"
        ):
            EpiasStp.from_env(environment="sandbox", username="TRADER1", password="x")
        for name, value in f.box.describe()["venues"]["epias_stp"]["env"].items():
            monkeypatch.setenv(name, value)
        async with EpiasStp.from_env(application="from the environment") as stp:
            await f.bid(stp)
        assert f.venue.log[0].application == "from the environment"


async def test_file_names_what_the_environment_does_not(clean: Path) -> None:
    async with floor() as f:
        profile = f.account().profile
        (clean / "gridwire.toml").write_text(
            "[epias_stp]\n"
            'environment = "sandbox"\n'
            f'cas_url = "{profile.cas_url}"\nstp_url = "{profile.stp_url}"\nservice = "{profile.service}"\n'
            'username = "TRADER1"\n'
            f"password = '{PASSWORD}'\n"
            'message_format = "xml"\nread_only = true\n',
            encoding="utf-8",
        )
        async with EpiasStp.from_env() as stp:
            await stp.contracts.standard()
            with pytest.raises(ReadOnly):
                await stp.bids.save(TODAY, **BID)
        assert f.venue.log[0].wire == "xml"
        async with EpiasStp.from_env(read_only=False, message_format="json") as stp:
            await f.bid(stp)
        assert f.venue.log[1].wire == "json"


async def test_confirmed_fields_come_from_settings(clean: Path) -> None:
    given: dict[str, Any] = {"environment": "production", "username": "TRADER1", "password": PASSWORD}
    async with EpiasStp.from_env(**given) as stp:
        with pytest.raises(Unconfirmed, match="engine_path"):
            await stp.bids.save(TODAY, **BID)
    with pytest.raises(ConfigurationError, match="can be confirmed are: cas_url, engine_path, quantity_unit, service"):
        EpiasStp.from_env(**given, confirmed=["enginepath"])
    confirmed = EpiasStp.from_env(**given, confirmed=["cas_url", "engine_path", "service", "quantity_unit"])
    assert confirmed.desk(contracts=[TODAY]) is not None
