/* Empty, because nothing here belongs to a room. `make room` serves its own script at
   this address, which lets learners vote in a lesson's page. */
