"""Reports that a person can read: one offline HTML file without script, and half a page of text.

The public report knows the certificate's predicate and the released files, and nothing else. The
internal one also shows what attacks on real persons found, and says that it may not leave.
"""

from attacks.report.internal import render_internal
from attacks.report.public import render_public
from attacks.report.utility import render_utility

__all__ = ["render_internal", "render_public", "render_utility"]
