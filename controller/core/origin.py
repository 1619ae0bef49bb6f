"""The names under which what an action makes or changes says of which proposal and operation it is: labels of Jobs,
annotations of targets.
"""

from controller.api.base import GROUP

PROPOSAL = f"{GROUP}/proposal"
PROPOSAL_UID = f"{GROUP}/proposal-uid"
OPERATION = f"{GROUP}/operation"
