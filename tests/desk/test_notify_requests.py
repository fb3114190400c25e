"""Signatures, sizes and answers, beside the vectors of emission.md 7.7."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from desk.notify import limits as table
from desk.notify import requests, texts
from desk.notify.requests import Unusable, dingtalk_sign, feishu_sign, judged
from schemas.alerts import Notice
from tests.desk.notifying import notice

LIMITS = table.read()
KINDS = LIMITS.kinds


def test_the_vectors() -> None:
    assert dingtalk_sign("SEC000test", 1700000000000) == "1hLl2KkRX3rps9FaitIUwaac+CtAFEaP345jvdrTL7c="
    assert feishu_sign("feishu-demo", 1700000000) == "4OHY9IOvu9NveQP6O8SWiKT/ppOkxXZXzg57y0y88XU="


def test_the_sign_of_dingtalk_is_encoded_once() -> None:
    one = texts.one(notice("n", "guo"))
    for word in ("abc", "https://oapi.dingtalk.com/robot/send?access_token=abc"):
        url = requests.dingtalk([word, "SEC000test"], one, 1700000000000, KINDS["dingtalk"]).url
        assert url == (
            "https://oapi.dingtalk.com/robot/send?access_token=abc&timestamp=1700000000000"
            "&sign=1hLl2KkRX3rps9FaitIUwaac%2BCtAFEaP345jvdrTL7c%3D"
        )
        assert parse_qs(urlsplit(url).query)["sign"] == ["1hLl2KkRX3rps9FaitIUwaac+CtAFEaP345jvdrTL7c="]
    assert "sign" not in requests.dingtalk(["abc"], one, 1, KINDS["dingtalk"]).url


def test_feishu_signs_in_the_body_and_goes_where_the_address_says() -> None:
    one = texts.one(notice("n", "zhao"))
    home = requests.feishu(["tok", "feishu-demo"], one, 1700000000999, KINDS["feishu"])
    assert home.url == "https://open.feishu.cn/open-apis/bot/v2/hook/tok"
    said = json.loads(home.body)
    assert (said["timestamp"], said["sign"]) == ("1700000000", "4OHY9IOvu9NveQP6O8SWiKT/ppOkxXZXzg57y0y88XU=")
    abroad = "https://open.larksuite.com/open-apis/bot/v2/hook/tok"
    assert requests.feishu([abroad], one, 1, KINDS["feishu"]).url == abroad


@pytest.mark.parametrize("filling", ["超", "é", "x", "\n", '"', "😀"])
@pytest.mark.parametrize("count", [10, 680, 2_100, 30_000])
def test_bodies_stay_below_the_limits_and_no_character_is_halved(filling: str, count: int) -> None:
    long = texts.one(notice("n", "guo", text=filling * count), ["13800001111", "13800002222"])
    wecom = json.loads(requests.wecom(["k"], long, 1, KINDS["wecom"]).body)
    content = wecom["text"]["content"]
    assert len(content.encode()) <= 2048
    for body, most in (
        (requests.dingtalk(["k"], long, 1, KINDS["dingtalk"]).body, 20_000),
        (requests.feishu(["k", "s"], long, 1, KINDS["feishu"]).body, 20 * 1024),
    ):
        assert len(body) <= most
        said = json.loads(body)
        text = said["text"]["content"] if "text" in said else said["content"]["text"]
        assert "�" not in text
        if len(long.whole.encode()) < 1_500:
            assert long.whole in text
    kept = content.removesuffix("…")
    assert long.whole.startswith(kept)
    assert len(kept.encode()) > 2_000 or kept == long.whole


def test_mentions() -> None:
    red = texts.one(notice("n", "guo", level="red"), ["13800001111"])
    ding = json.loads(requests.dingtalk(["k"], red, 1, KINDS["dingtalk"]).body)
    assert ding["at"] == {"atMobiles": ["13800001111"], "isAtAll": False}
    assert ding["text"]["content"].endswith("@13800001111")
    assert json.loads(requests.wecom(["k"], red, 1, KINDS["wecom"]).body)["text"]["mentioned_mobile_list"] == [
        "13800001111"
    ]
    nobody = texts.one(notice("n", "guo", level="red"))
    assert json.loads(requests.dingtalk(["k"], nobody, 1, KINDS["dingtalk"]).body)["at"]["isAtAll"] is True
    assert json.loads(requests.wecom(["k"], nobody, 1, KINDS["wecom"]).body)["text"]["mentioned_list"] == ["@all"]
    sly = texts.one(notice("n", "guo", title='<at user_id="all">所有人</at> 一厂'))
    assert "<at" not in json.loads(requests.feishu(["k"], sly, 1, KINDS["feishu"]).body)["content"]["text"]
    assert (
        '<at user_id="all">' in json.loads(requests.feishu(["k"], nobody, 1, KINDS["feishu"]).body)["content"]["text"]
    )


def test_a_digest_counts_by_level_and_begins_with_the_worst() -> None:
    many = [notice(f"y{n}", "guo", level="yellow", at=n) for n in range(60)] + [notice("r", "guo", level="red", at=1)]
    said = texts.digest(many)
    assert said.title == "告警摘要：共61条（红色1 黄色60）"
    lines = said.text.splitlines()
    assert lines[0] == "红色 首次告警 一中 PM2.5 超标 r"
    assert lines[1].endswith("y59")
    assert lines[40].startswith("另有21条")
    assert len(said.short) <= 35
    assert said.loud
    assert said.digest == texts.digest(many[::-1]).digest


@pytest.mark.parametrize(
    ("kind", "status", "answer", "ok", "code", "again"),
    [
        ("dingtalk", 200, b'{"errcode":0,"errmsg":"ok"}', True, "0", False),
        ("dingtalk", 200, b'{"errcode":310000,"errmsg":"sign not match"}', False, "310000", False),
        ("dingtalk", 200, b'{"errcode":300005,"errmsg":"token is not exist"}', False, "300005", False),
        ("dingtalk", 200, b'{"errcode":130101,"errmsg":"send too fast"}', False, "130101", True),
        ("dingtalk", 200, b'{"errcode":4711,"errmsg":"new one"}', False, "4711", True),
        ("wecom", 200, b'{"errcode":93000,"errmsg":"invalid webhook url"}', False, "93000", False),
        ("wecom", 200, b'{"errcode":45009,"errmsg":"freq"}', False, "45009", True),
        ("feishu", 200, b'{"code":0,"msg":"success","data":{}}', True, "0", False),
        ("feishu", 200, b'{"StatusCode":0,"StatusMessage":"success"}', True, "0", False),
        ("feishu", 200, b'{"code":19021,"msg":"sign match fail"}', False, "19021", False),
        ("feishu", 200, b'{"code":9499,"msg":"Bad Request"}', False, "9499", False),
        ("feishu", 200, b'{"code":11232,"msg":"frequency"}', False, "11232", True),
        ("feishu", 400, b'{"code":9499,"msg":"Bad Request"}', False, "9499", False),
        ("wecom", 500, b"oops", False, "http-500", True),
        ("wecom", 429, b"", False, "http-429", True),
        ("wecom", 404, b"", False, "http-404", False),
        ("wecom", 302, b"", False, "http-302", False),
        ("wecom", 200, b"<html>log in</html>", False, "no-code", True),
        ("wecom", 200, b"[1]", False, "no-code", True),
        ("webhook", 204, b"", True, "0", False),
        ("webhook", 200, b'{"code":7,"message":"no"}', False, "7", True),
        ("sms", 200, b'{"code":"OK"}', True, "OK", False),
    ],
)
def test_answers(kind: str, status: int, answer: bytes, ok: bool, code: str, again: bool) -> None:
    found = judged(status, answer, KINDS[kind], needs_code=kind in ("dingtalk", "wecom", "feishu"))
    assert (found.ok, found.code, found.again, found.unsure) == (ok, code, again, False)


def test_a_secret_of_the_wrong_form_is_not_repeated() -> None:
    one = texts.one(notice("n", "guo"))
    for build, words in (
        (requests.dingtalk, ["https://oapi.dingtalk.com/robot/send?token=hidden-4711"]),
        (requests.webhook, ["hidden-4711"]),
        (requests.wecom, ["ftp://x/?key=hidden-4711"]),
    ):
        with pytest.raises(Unusable) as refused:
            build(words, one, 1, KINDS["dingtalk"])
        assert "hidden" not in str(refused.value)
        assert "hidden" not in repr(requests.wecom(["hidden-4711"], one, 1, KINDS["wecom"]))


def test_the_webhook_gets_the_notice_and_can_read_it_back() -> None:
    import msgspec

    told = notice("n", "tech")
    request = requests.webhook(["https://x.invalid/y", "key"], texts.one(told), 5, KINDS["webhook"])
    assert msgspec.json.decode(request.body, type=Notice) == told
