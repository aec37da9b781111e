"""Requests for spectra: one for each object of a list, and what became of it.

The store is a Delta table that only grows: a row for each change of a request. A request has the
state of its last row. Its name is made of target, list and object, so that nobody can ask twice
for the same object of a list under two names.

==============  ===================================================================================
State           Meaning
==============  ===================================================================================
``drawn``       in the list; the plan does not observe it, and `reason` says why
``planned``     in the plan of a telescope
``submitting``  being sent: the telescope may have it
``submitted``   the telescope said yes
``accepted``    the telescope's own list has it
``observed``    the telescope has taken the spectrum; nobody has given a type yet
``classified``  a label came in: `type` says which; ``unclassified`` is a spectrum without a type
``failed``      the telescope refused it, at once or later
``withdrawn``   cancelled: another source gave the type, or a person cancelled it
``expired``     its window closed
==============  ===================================================================================
"""
