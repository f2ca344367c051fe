"""АС СиОИ without ``async``: the same calls, outcomes and journal."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from gridwire.errors import InvalidInput
from gridwire.outcome import Accepted, Unknown
from gridwire.siooi import Siooi as AsyncSiooi
from gridwire.siooi import Succeeded
from gridwire.sync import Sandbox, Siooi


def test_a_document_is_loaded_and_its_fate_settled(tmp_path: Path) -> None:
    with Sandbox("siooi") as box:
        venue = box.venue("siooi")
        venue.knobs.queue_s = venue.knobs.run_s = 0.05
        options = {"form_code": "F101", "object_key": "TPP-1", "period": "2026-Q3"}
        with Siooi(box.siooi, journal=tmp_path / "uploads.sqlite", schemas=venue.schemas) as client:
            document = client.prepare(venue.document(), allow_unvalidated=False, on_progress=None, **options)
            with pytest.raises(InvalidInput):
                client.submit(document, confirm=False)
            venue.faults.add("drop_before_execute", operation="send")
            lost = client.submit(document, confirm=True)
            assert isinstance(lost, Unknown)
            assert client.unknown() == [lost]
            again = client.submit(document, confirm=True)
            assert isinstance(again, Unknown)
            assert again.intent == lost.intent
            client.resolve(lost.intent.key, "absent", by="Иванова", note="нет")
            outcome = client.submit(document, confirm=True)
            assert isinstance(outcome, Accepted)
            assert outcome.order is not None
        with Siooi(box.siooi, journal=tmp_path / "uploads.sqlite", schemas=venue.schemas) as client:
            (result,) = client.resume()
            assert isinstance(result, Succeeded)
            assert client.status(outcome.order).document_status == "Подписан"
            assert "Подписан" in repr(client.wait(outcome.order))
            assert "Удаление" in client.support_request(outcome.order)
            client.deleted_by_support(outcome.intent.key, by="Иванова", note="4711")
            assert [row.state for row in client.uploads()] == ["resolved_absent", "withdrawn"]
            assert client.pending() == []
            client.logout()
        assert len(venue.log.uploads()) == 1


def test_both_faces_have_the_same_methods() -> None:
    def public(face: type) -> dict[str, inspect.Signature]:
        return {
            name: inspect.signature(member)
            for name, member in inspect.getmembers(face, callable)
            if not name.startswith("_")
        }

    ours = public(Siooi)
    assert public(AsyncSiooi) == {name: ours[name] for name in public(AsyncSiooi)}
