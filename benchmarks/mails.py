"""Mails of a given size, as a mail program writes them; no two are the same."""

from email.utils import formatdate

BASE_TIME = 1_790_000_000
LINE = b"It was a bright cold day in April, and the clocks were striking thirteen.\r\n"
FIELDS = (  # what Thunderbird asks for when it lists a mailbox
    "From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type "
    "Reply-To List-Unsubscribe Received Delivery-Date"
)


def mail(number: int, size: int, sender: str = "alice@bm.internal", recipient: str = "bob@bm.internal") -> bytes:
    """An RFC 5322 mail of about `size` octets, its lines ended by CRLF, none beginning with a dot."""
    header = (
        f"Received: from localhost by bm.internal with ESMTPSA id {number:08d}; {formatdate(BASE_TIME + number)}\r\n"
        f"Message-ID: <{number:08d}.benchmark@bm.internal>\r\n"
        f"Date: {formatdate(BASE_TIME + number)}\r\n"
        "MIME-Version: 1.0\r\n"
        "User-Agent: Mozilla Thunderbird\r\n"
        "Content-Language: en-GB\r\n"
        f"Subject: Minutes of meeting {number:08d}, and what we do next\r\n"
        f"From: Alice <{sender}>\r\n"
        f"To: Bob <{recipient}>\r\n"
        "Content-Type: text/plain; charset=UTF-8; format=flowed\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
    ).encode("ascii")
    body = f"This is mail {number}.\r\n".encode("ascii")
    return header + body + LINE * max(0, (size - len(header) - len(body)) // len(LINE))
