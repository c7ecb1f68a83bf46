"""A real MCP server of few words. Run by itself it speaks over stdio."""

from __future__ import annotations

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("scratch", log_level="CRITICAL")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def fetch(url: str) -> str:
    """Fetch a page."""
    if url == "nowhere":
        raise ToolError("there is no such page")
    return f"the page {url}"


if __name__ == "__main__":
    server.run("stdio")
