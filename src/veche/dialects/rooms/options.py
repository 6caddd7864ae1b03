"""The settings of the rooms dialect."""

from collections.abc import Mapping

from pydantic import Field

from veche.gateway.options import DialectOptions, TokenSeconds


class Options(DialectOptions):
    """Read from `VECHE_ROOMS_*`."""

    token_seconds: TokenSeconds = 24 * 3600
    system_name: str = Field(
        "system",
        min_length=1,
        description="The username of join and leave notices (`pkg.system_username` of the YAML file). "
        "No account may have it.",
    )
    error_name: str = Field(
        "error",
        min_length=1,
        description="The username of error frames on the socket (`pkg.error_username` of the YAML file). "
        "No account may have it.",
    )
    text_bytes: int = Field(
        2000, ge=1, le=65_536, description="The longest message in bytes (`websocket.msg_max_length` of the YAML file)."
    )

    @property
    def spoken_names(self) -> Mapping[str, str]:
        """The names of notices and of error frames."""
        return {"system_name": self.system_name, "error_name": self.error_name}
