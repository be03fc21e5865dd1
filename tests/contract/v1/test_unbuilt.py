"""What `letta-client` has methods for and the server no routes."""

import letta_client

from tests.fixtures.letta import Driver


async def test_what_is_not_built_yet_says_which_feature_that_is(letta: Driver) -> None:
    for words, method in (
        ("MCP servers", lambda c: c.mcp_servers.list()),
        ("identities", lambda c: c.agents.identities.attach("i-x", agent_id="agent-x")),
        ("Letta's own cloud", lambda c: c.access_tokens.delete("x", body={})),
    ):
        error = await letta.fails(letta_client.InternalServerError, method)
        assert (error.status_code, error.body["error"]) == (501, "NotBuilt")
        assert words in error.body["detail"]
        assert error.response.headers["X-Should-Retry"] == "false"


async def test_what_v1_does_not_have_either_is_not_found(letta: Driver) -> None:
    error = await letta.fails(
        letta_client.NotFoundError, lambda c: c.get("/v1/teapots", cast_to=object)
    )
    assert error.body == {"error": "NotFound", "detail": "There is no GET /v1/teapots here."}
