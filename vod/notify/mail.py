"""E-mail over SMTP. Vendor errors are translated here."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formataddr, formatdate
from typing import Final, Literal

import aiosmtplib

from kernel.errors import DependencyError
from vod.notify.port import Message

DEADLINE_S: Final = 20.0  # Per command; servers that look senders up take their time.
SENDER_NAME: Final = "云上讲堂"
FIRST_PERMANENT_CODE: Final = 500
# Signing in and relaying are settings that a person puts right meanwhile.
MENDABLE_CODES: Final = frozenset({530, 534, 535, 538})

Security = Literal["tls", "starttls", "none"]


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over.

    Attributes:
        security: ``tls`` from the first byte (465), ``starttls`` before anything is said (587).
        sender: Address that messages come from.
        ca: PEM file of whoever signed the server's certificate, if the system does not know it.
    """

    host: str
    port: int
    security: Security
    sender: str
    user: str | None = None
    password: str | None = None
    ca: str | None = None


class SmtpNotifier:
    """Sends each message over a connection of its own."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._context: ssl.SSLContext | None = None

    async def send(self, message: Message) -> None:
        """See the port. Refused recipients and contents are not tried again."""
        server = self._server
        if server.security != "none" and self._context is None:
            self._context = await asyncio.to_thread(ssl.create_default_context, cafile=server.ca)
        try:
            await aiosmtplib.send(
                build_mail(message, sender=server.sender),
                sender=server.sender,
                recipients=[message.to],
                hostname=server.host,
                port=server.port,
                local_hostname=server.sender.rpartition("@")[2] or "localhost",
                username=server.user,
                password=server.password,
                use_tls=server.security == "tls",
                start_tls=server.security == "starttls",
                tls_context=self._context,
                timeout=DEADLINE_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [one.code for one in error.recipients]
            raise _translate(error, max(codes, default=0)) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _translate(error, error.code) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _translate(error, 0) from error


def _translate(error: Exception, code: int) -> DependencyError:
    is_permanent = code >= FIRST_PERMANENT_CODE and code not in MENDABLE_CODES
    detail = f"mail: {type(error).__name__}: {error}"
    return DependencyError(detail[:300], retryable=not is_permanent)


def build_mail(message: Message, *, sender: str) -> EmailMessage:
    """Build the mail; the subject is one line whatever it held. Pure but for the date."""
    mail = EmailMessage()
    mail["From"] = formataddr((SENDER_NAME, sender))
    mail["To"] = message.to
    mail["Subject"] = " ".join(message.subject.split())
    mail["Date"] = formatdate()
    if message.key:
        mail["Message-ID"] = f"<{message.key}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: no answer of a machine, please.
    mail.set_content(message.text, charset="utf-8")
    return mail
